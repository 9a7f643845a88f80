//! The codings in which bodies may come (RFC 9110, 8.4), decoded piece by piece, so that of a body that grows without
//! end no more is ever held than a body may have.

use std::io::{self, Write};

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use flate2::write::{MultiGzDecoder, ZlibDecoder};

use crate::http::problem::{CODINGS, Code, Problem};

/// Bytes that are set aside for a body before any of it has come.
const SET_ASIDE: usize = 8 * 1024;

/// Collects a body.
pub enum Collector {
    Plain(Bounded),
    Gzip(MultiGzDecoder<Bounded>),
    Deflate(ZlibDecoder<Bounded>),
}

/// What a body says, up to a limit.
pub struct Bounded {
    bytes: Vec<u8>,
    most: usize,
    is_over: bool,
}

impl Collector {
    /// For a body with these headers that may have `most` bytes when it is decoded. `expected` is what it says of its
    /// length; that much is only set aside if it is little.
    ///
    /// # Errors
    /// [`Code::UnsupportedMediaType`] for other codings, and for several.
    pub fn of(headers: &HeaderMap, most: usize, expected: usize) -> Result<Self, Problem> {
        let inner = Bounded { bytes: Vec::with_capacity(expected.min(most).min(SET_ASIDE)), most, is_over: false };
        let mut values = headers.get_all(CONTENT_ENCODING);
        let Some(coding) = values.next() else { return Ok(Self::Plain(inner)) };
        let coding = coding.to_str().unwrap_or("no text").trim().to_ascii_lowercase();
        match coding.as_str() {
            _ if values.next().is_some() => {}
            "identity" | "" => return Ok(Self::Plain(inner)),
            "gzip" | "x-gzip" => return Ok(Self::Gzip(MultiGzDecoder::new(inner))),
            "deflate" => return Ok(Self::Deflate(ZlibDecoder::new(inner))),
            _ => {}
        }
        let problem = Problem::from(Code::UnsupportedMediaType).naming_codings();
        Err(problem.detail(format!("Bodies may be encoded as one of {CODINGS}.")))
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Code::BodyTooLarge`], or [`Code::MalformedJson`] for what is not encoded as is said.
    pub fn add(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let added = match self {
            Self::Plain(body) => body.write_all(piece),
            Self::Gzip(body) => body.write_all(piece),
            Self::Deflate(body) => body.write_all(piece),
        };
        added.map_err(|_| self.problem())
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn finish(mut self) -> Result<Vec<u8>, Problem> {
        let finished = match &mut self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(body) => body.try_finish(),
            Self::Deflate(body) => body.try_finish(),
        };
        finished.map_err(|_| self.problem())?;
        Ok(std::mem::take(&mut self.body_mut().bytes))
    }

    fn problem(&mut self) -> Problem {
        if self.body_mut().is_over {
            Code::BodyTooLarge.into()
        } else {
            Problem::from(Code::MalformedJson).detail("The body is not encoded as `Content-Encoding` says.")
        }
    }

    fn body_mut(&mut self) -> &mut Bounded {
        match self {
            Self::Plain(body) => body,
            Self::Gzip(body) => body.get_mut(),
            Self::Deflate(body) => body.get_mut(),
        }
    }
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.most - self.bytes.len() {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderValue};
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    const MOST: usize = 1_000;

    fn collect(coding: &str, body: &[u8]) -> Result<Vec<u8>, Code> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_str(coding).unwrap());
        let mut collector = Collector::of(&headers, MOST, 0).map_err(|problem| problem.code)?;
        for piece in body.chunks(7) {
            collector.add(piece).map_err(|problem| problem.code)?;
            assert!(collector.body_mut().bytes.len() <= MOST);
        }
        collector.finish().map_err(|problem| problem.code)
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bodies_are_decoded_up_to_the_limit() {
        for length in [0, 1, 50, MOST] {
            let body = vec![b'x'; length];
            assert_eq!(collect("gzip", &gzip(&body)).unwrap(), body);
            assert_eq!(collect("X-GZIP ", &gzip(&body)).unwrap(), body);
            assert_eq!(collect("deflate", &deflate(&body)).unwrap(), body);
            assert_eq!(collect("identity", &body).unwrap(), body);
        }
        let in_two = [gzip(b"{\"a\":"), gzip(b"1}")].concat();
        assert_eq!(collect("gzip", &in_two).unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn bomb_is_too_large_whatever_its_coding() {
        for length in [MOST + 1, 10_000_000] {
            let body = vec![b'x'; length];
            for (coding, encoded) in [("gzip", gzip(&body)), ("deflate", deflate(&body)), ("identity", body.clone())] {
                assert_eq!(collect(coding, &encoded), Err(Code::BodyTooLarge), "{coding} {length}");
            }
        }
    }

    #[test]
    fn what_is_not_encoded_as_it_says_is_refused() {
        let whole = gzip(b"{\"a\":1}");
        let mut damaged = whole.clone();
        damaged[whole.len() - 5] ^= 1;
        for body in [&b"{\"a\":1}"[..], &whole[..whole.len() - 3], &damaged, &[&whole[..], b"more"].concat()] {
            assert_eq!(collect("gzip", body), Err(Code::MalformedJson), "{body:?}");
        }
        assert_eq!(collect("deflate", b"{\"a\":1}"), Err(Code::MalformedJson));
        for coding in ["br", "zstd", "compress", "gzip, gzip", "gzip, identity", "é"] {
            assert_eq!(collect(coding, b""), Err(Code::UnsupportedMediaType), "{coding}");
        }
    }
}
