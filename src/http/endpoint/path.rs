//! What a path says.

use actix_web::HttpRequest;

use crate::domain::{LetterId, PaymentId, RefundId};
use crate::http::body::MerchantId;
use crate::http::problem::{Code, Problem};

/// One parameter of a path.
#[derive(Debug, Clone, Copy)]
pub struct PathParameter {
    /// As it stands in the path's braces.
    pub name: &'static str,
    pub about: &'static str,
    /// A regular expression that values of the right form fit.
    pub pattern: &'static str,
    /// What a value is answered that names nothing.
    pub code: Code,
}

/// The parameters of a path.
pub trait PathParameters: Sized {
    const PARAMETERS: &'static [PathParameter];
    /// Codes beside those of the parameters.
    const CODES: &'static [Code] = &[];

    /// # Errors
    /// A value of another form is answered as one that is unknown.
    fn read(request: &HttpRequest) -> Result<Self, Problem>;
}

impl PathParameters for () {
    const PARAMETERS: &'static [PathParameter] = &[];

    fn read(_request: &HttpRequest) -> Result<Self, Problem> {
        Ok(())
    }
}

/// Has an id of this kind read from a path.
macro_rules! id_in_path {
    ($id:ty, $name:literal, $about:literal, $pattern:literal, $code:expr $(, $detail:literal)?) => {
        impl PathParameters for $id {
            const PARAMETERS: &'static [PathParameter] =
                &[PathParameter { name: $name, about: $about, pattern: $pattern, code: $code }];

            fn read(request: &HttpRequest) -> Result<Self, Problem> {
                request.match_info().query($name).parse().map_err(|_| Problem::from($code)$(.detail($detail))?)
            }
        }
    };
}

id_in_path!(PaymentId, "paymentId", "The payment", "^pay_[0-7][0-9A-HJKMNP-TV-Z]{12}$", Code::PaymentNotFound);
id_in_path!(RefundId, "refundId", "The refund", "^ref_[0-7][0-9A-HJKMNP-TV-Z]{12}$", Code::RefundNotFound);
id_in_path!(
    LetterId,
    "letterId",
    "The dead letter",
    "^dlq_[0-7][0-9A-HJKMNP-TV-Z]{12}$",
    Code::NotFound,
    "It is no dead letter's id: that is `dlq_` and 13 digits and capital letters, such as dlq_06YVFH3XM0400."
);

impl PathParameters for MerchantId {
    const PARAMETERS: &'static [PathParameter] = &[PathParameter {
        name: "merchantId",
        about: "The merchant",
        pattern: "^[A-Za-z0-9_-]{1,32}$",
        code: Code::MerchantIdInvalid,
    }];
    const CODES: &'static [Code] = &[Code::CardNumberNotAllowed];

    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        Self::parse(request.match_info().query("merchantId")).map_err(Problem::from)
    }
}
