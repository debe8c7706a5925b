//! What the head of an HTTP/1 answer says (RFC 9112), read strictly: a probe is not to take for good what others in the
//! way of the answer could read in two ways.

use std::mem::MaybeUninit;

use http::{HeaderValue, StatusCode};
use httparse::{Error, Header, ParserConfig, Response};

use crate::exchange::MAX_HEADERS;

/// A whole head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// The first one.
    pub(super) location: Option<HeaderValue>,
    pub(super) body: BodyEnds,
}

/// How the end of a body is told (RFC 9112, section 6.3, for an answer to a GET).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyEnds {
    AfterBytes(u64),
    AfterChunks,
    WithConnection,
}

/// Why a head can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NotHttp,
    TooManyHeaders,
    /// It says twice how long its body is.
    LengthAndEncoding,
}

/// Whether what came so far can be the beginning of a head.
pub(super) fn can_begin(received: &[u8]) -> Result<(), Fault> {
    with_parsed(received, |_| ()).map(|_| ())
}

/// Reads a head that ends with its blank line.
pub(super) fn read(whole: &[u8]) -> Result<Head, Fault> {
    match with_parsed(whole, Fields::of)? {
        Some(fields) => fields?.head(),
        None => Err(Fault::NotHttp),
    }
}

/// `None` of what is not whole.
fn with_parsed<T>(
    received: &[u8],
    look: impl FnOnce(&Response<'_, '_>) -> T,
) -> Result<Option<T>, Fault> {
    let mut room = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_HEADERS];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        received,
        &mut room,
    );
    match parsed {
        Ok(httparse::Status::Complete(_)) => Ok(Some(look(&response))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(Error::TooManyHeaders) => Err(Fault::TooManyHeaders),
        Err(_) => Err(Fault::NotHttp),
    }
}

/// What a probe looks at.
#[derive(Debug)]
struct Fields {
    status: StatusCode,
    is_1_0: bool,
    location: Option<HeaderValue>,
    length: Option<u64>,
    /// Of several, whether the last one ends with `chunked`.
    is_chunked: Option<bool>,
}

impl Fields {
    fn of(response: &Response<'_, '_>) -> Result<Self, Fault> {
        let status = response.code.map(StatusCode::from_u16);
        let Some(Ok(status)) = status else {
            return Err(Fault::NotHttp);
        };
        let mut fields = Self {
            status,
            is_1_0: response.version == Some(0),
            location: None,
            length: None,
            is_chunked: None,
        };
        let has_body = !matches!(status.as_u16(), 204 | 304);
        for Header { name, value } in response.headers.iter() {
            if name.eq_ignore_ascii_case("content-length") {
                match length(value, fields.length) {
                    None if has_body => return Err(Fault::NotHttp),
                    length => fields.length = length.or(Some(0)),
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                fields.is_chunked = Some(ends_chunked(value));
            } else if name.eq_ignore_ascii_case("location") && fields.location.is_none() {
                fields.location = HeaderValue::from_bytes(value).ok();
            }
        }
        Ok(fields)
    }

    fn head(self) -> Result<Head, Fault> {
        let body = match (self.status.as_u16(), self.is_chunked, self.length) {
            (_, Some(_), Some(_)) => return Err(Fault::LengthAndEncoding),
            (204 | 304, _, _) => BodyEnds::AfterBytes(0),
            // HTTP/1.0 has no encodings: whoever says so has not understood what he forwards.
            (_, Some(_), None) if self.is_1_0 => return Err(Fault::NotHttp),
            (_, Some(true), None) => BodyEnds::AfterChunks,
            (_, None, Some(length)) => BodyEnds::AfterBytes(length),
            (_, Some(false) | None, None) => BodyEnds::WithConnection,
        };
        Ok(Head {
            status: self.status,
            location: self.location,
            body,
        })
    }
}

/// A length in digits, which all that are given must agree on; `None` of anything else.
fn length(value: &[u8], before: Option<u64>) -> Option<u64> {
    let mut agreed = before;
    for one in value.split(|byte| *byte == b',') {
        let digits = one.trim_ascii();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
        if agreed.is_some_and(|agreed| agreed != length) {
            return None;
        }
        agreed = Some(length);
    }
    agreed
}

fn ends_chunked(value: &[u8]) -> bool {
    let last = value.rsplit(|byte| *byte == b',').next();
    last.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(fields: &str) -> Result<BodyEnds, Fault> {
        status_and_body("1.1 200", fields)
    }

    fn status_and_body(status: &str, fields: &str) -> Result<BodyEnds, Fault> {
        let head = read(format!("HTTP/{status} X\r\n{fields}\r\n").as_bytes())?;
        Ok(head.body)
    }

    #[test]
    fn the_end_of_a_body_is_told_in_one_way_or_refused() {
        use BodyEnds::{AfterBytes, AfterChunks, WithConnection};
        let good = [
            ("", WithConnection),
            ("Content-Length: 12\r\n", AfterBytes(12)),
            (
                "content-length: 12, 12\r\nContent-Length: 12\r\n",
                AfterBytes(12),
            ),
            ("Transfer-Encoding: Chunked\r\n", AfterChunks),
            ("Transfer-Encoding: gzip, chunked\r\n", AfterChunks),
            (
                "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                AfterChunks,
            ),
            ("Transfer-Encoding: gzip\r\n", WithConnection),
        ];
        for (fields, ends) in good {
            assert_eq!(body(fields), Ok(ends), "{fields:?}");
        }
        for fields in [
            "Content-Length: -1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 1, 2\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 18446744073709551616\r\n",
            "Content-Length: 1 2\r\n",
        ] {
            assert_eq!(body(fields), Err(Fault::NotHttp), "{fields:?}");
        }
        let both = "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n";
        assert_eq!(body(both), Err(Fault::LengthAndEncoding));
    }

    #[test]
    fn a_status_without_a_body_has_none_and_http_1_0_has_no_chunks() {
        for status in ["1.1 204", "1.1 304"] {
            let length = status_and_body(status, "Content-Length: 12\r\n");
            assert_eq!(length, Ok(BodyEnds::AfterBytes(0)), "{status}");
        }
        let chunked = "Transfer-Encoding: chunked\r\n";
        assert_eq!(status_and_body("1.0 200", chunked), Err(Fault::NotHttp));
        assert_eq!(status_and_body("1.0 200", ""), Ok(BodyEnds::WithConnection));
    }

    #[test]
    fn what_is_no_head_is_known_before_it_is_whole() {
        for good in ["", "H", "HTTP/1.", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nA: b"] {
            assert_eq!(can_begin(good.as_bytes()), Ok(()), "{good:?}");
        }
        for bad in [
            "hello",
            "HTTP/2",
            "HTTP/1.1 2x",
            "HTTP/1.1 200 OK\r\nA b\r\n",
        ] {
            assert_eq!(can_begin(bad.as_bytes()), Err(Fault::NotHttp), "{bad:?}");
        }
        let many = "A: b\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(body(&many), Err(Fault::TooManyHeaders));
        assert_eq!(status_and_body("1.1 099", ""), Err(Fault::NotHttp));
        assert_eq!(body("A: b\r\n c\r\n"), Err(Fault::NotHttp), "folded");
    }
}
