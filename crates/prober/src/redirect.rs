//! Where an answer sends the probe next.

use http::{HeaderValue, StatusCode};
use models::probe::ErrorKind;
use url::Url;

use crate::verdict::Failure;

/// Redirects followed in one probe; the answer after the last must not be one.
pub(crate) const MAX_REDIRECTS: usize = 10;

/// The next URL, or `None` when the answer is the one that counts.
pub(crate) fn next(
    url: &Url,
    status: StatusCode,
    location: Option<&HeaderValue>,
) -> Result<Option<Url>, Failure> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let invalid = |what: &str| Err(Failure::new(ErrorKind::RedirectInvalid, what));
    let Some(location) = location else {
        return invalid("the server redirects without saying where to");
    };
    let Ok(location) = std::str::from_utf8(location.as_bytes()) else {
        return invalid("the server redirects to something that is not text");
    };
    let Ok(mut next) = url.join(location) else {
        return invalid("the server redirects to something that is not a URL");
    };
    next.set_fragment(None);
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_five_redirects_with_a_readable_location_lead_on() {
        let url = Url::parse("https://example.com/a/b?c").unwrap();
        let go = |status: u16, location: &[u8]| {
            let location = location.try_into().unwrap();
            next(&url, StatusCode::from_u16(status).unwrap(), Some(&location))
        };
        assert_eq!(
            go(301, b"../x#y").unwrap().unwrap().as_str(),
            "https://example.com/x"
        );
        assert_eq!(
            go(308, b"//other.org/").unwrap().unwrap().as_str(),
            "https://other.org/"
        );
        assert_eq!(
            go(307, "/ü".as_bytes()).unwrap().unwrap().as_str(),
            "https://example.com/%C3%BC"
        );
        for status in [301, 302, 303, 307, 308] {
            assert!(go(status, b"/").unwrap().is_some(), "{status}");
        }
        for status in [200, 201, 300, 304, 305, 306, 309, 404, 503] {
            assert_eq!(go(status, b"/").unwrap(), None, "{status}");
        }
        assert_eq!(
            go(302, b"http://:0").unwrap_err().kind,
            ErrorKind::RedirectInvalid
        );
        assert_eq!(
            go(302, &[0xff]).unwrap_err().kind,
            ErrorKind::RedirectInvalid
        );
        let bare = next(&url, StatusCode::FOUND, None);
        assert_eq!(bare.unwrap_err().kind, ErrorKind::RedirectInvalid);
    }
}
