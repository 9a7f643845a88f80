//! `/admin/jobs`: what is done in the background.

use actix_web::http::StatusCode;

use crate::flows::JobView;
use crate::http::endpoint::{Endpoint, Listed, Method, Request};
use crate::http::problem::{Code, Problem};

pub struct ListJobs;

impl Endpoint for ListJobs {
    const OPERATION: &'static str = "jobs";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/admin/jobs";
    const ABOUT: &'static str = "The background jobs of this process, for each shard: who does them, when they ran \
                                 and run next, what they did and what went wrong.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "Jobs, by name and shard")];
    const CODES: &'static [&'static [Code]] = &[];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Listed<JobView>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        Ok(Listed { data: request.app.operations().jobs() })
    }
}
