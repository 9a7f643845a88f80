//! For whom the node is there: under which names it is served, and to pages of which origin. A page of anybody can lead
//! a browser to a node on its user's machine or network: by a name that is made to point there (DNS rebinding), or by
//! sending requests there from elsewhere.

use std::net::{Ipv4Addr, Ipv6Addr};

use actix_http::RequestHead;
use actix_web::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, Uri};

use super::problem::Code;

// As names: a text is copied into one for each look.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The names under which the node is served, beside `localhost` and its subdomains (RFC 6761), and beside addresses,
/// which nobody can make point elsewhere.
#[derive(Debug, Clone, Default)]
pub struct ServedNames {
    names: Vec<String>,
    /// With the dot before them: all that ends so.
    suffixes: Vec<String>,
}

impl ServedNames {
    /// Of names such as `pay.example.com` and `*.example.com`.
    pub fn of(names: &[String]) -> Self {
        let mut served = Self::default();
        for name in names {
            let name = name.to_ascii_lowercase();
            match name.strip_prefix('*') {
                Some(suffix) => served.suffixes.push(suffix.to_owned()),
                None => served.names.push(name),
            }
        }
        served
    }

    /// Whether the host of an authority is served; IPv6 addresses are in brackets.
    fn has(&self, host: &str) -> bool {
        if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return address.parse::<Ipv6Addr>().is_ok();
        }
        if host.parse::<Ipv4Addr>().is_ok() {
            return true;
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        let ends = |suffix: &str| {
            let begins = host.len().checked_sub(suffix.len());
            begins.is_some_and(|begins| begins > 0 && is_equal(&host.as_bytes()[begins..], suffix))
        };
        is_equal(host.as_bytes(), "localhost")
            || ends(".localhost")
            || self.names.iter().any(|name| is_equal(host.as_bytes(), name))
            || self.suffixes.iter().any(|suffix| ends(suffix))
    }

    /// Whether a request is for this node, and from no page of elsewhere.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`] for a `Host` that is none, [`Code::HostNotServed`] and [`Code::OriginNotAllowed`].
    pub fn check(&self, head: &RequestHead) -> Result<(), Code> {
        let host = head.headers.get(HOST).map(|host| host.as_bytes());
        // The target's goes before the header's (RFC 9112, 3.2.2). The parser has seen that HTTP/1.1 has one.
        let host: Option<Authority> = match (head.uri.authority(), host) {
            (Some(authority), _) => Some(authority.clone()),
            (None, Some(host)) => Some(Authority::try_from(host).map_err(|_| Code::MalformedRequest)?),
            (None, None) => None,
        };
        if let Some(host) = &host
            && (host.as_str().contains('@') || !self.has(host.host()))
        {
            return Err(Code::HostNotServed);
        }
        if is_from_elsewhere(head, host.as_ref()) { Err(Code::OriginNotAllowed) } else { Ok(()) }
    }
}

/// Whether a browser says that a page of another origin made the request. Who is no browser says nothing.
fn is_from_elsewhere(head: &RequestHead, host: Option<&Authority>) -> bool {
    let headers = &head.headers;
    let is_own =
        |origin: &HeaderValue| Uri::try_from(origin.as_bytes()).is_ok_and(|origin| is_origin_of(&origin, host));
    if !headers.get_all(ORIGIN).all(is_own) {
        return true;
    }
    // A link from elsewhere that is followed may lead here: only its user sees what it shows (Fetch Metadata). A frame
    // of somebody's page is none.
    let is_link = || {
        head.method == Method::GET
            && headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode == "navigate")
            && headers.get(SEC_FETCH_DEST).is_none_or(|place| place == "document")
    };
    let is_elsewhere = |site: &HeaderValue| site != "same-origin" && site != "none";
    headers.get_all(SEC_FETCH_SITE).any(is_elsewhere) && !is_link()
}

/// Whether an origin is that of pages from `host`. Their schemes are not compared: TLS may end before the node.
fn is_origin_of(origin: &Uri, host: Option<&Authority>) -> bool {
    let (Some(theirs), Some(host)) = (origin.authority(), host) else { return false };
    let usual = if origin.scheme_str() == Some("https") { 443 } else { 80 };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
    theirs.host().eq_ignore_ascii_case(host.host()) && port(theirs) == port(host)
}

fn is_equal(host: &[u8], name: &str) -> bool {
    host.eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn check(names: &[&str], request: TestRequest) -> Result<(), Code> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        ServedNames::of(&names).check(request.to_request().head())
    }

    fn at(host: &str) -> TestRequest {
        TestRequest::default().insert_header((HOST, host))
    }

    #[test]
    fn loopback_names_addresses_and_given_names_are_served() {
        let names = ["pay.example.com", "*.internal"];
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST.",
            "docs.localhost",
            "127.0.0.1:8080",
            "127.8.9.10",
            "[::1]",
            "[::1]:8080",
            "192.0.2.7",
            "[2001:db8::1]:80",
            "pay.example.com",
            "Pay.Example.com:8443",
            "a.internal",
            "a.b.internal.",
            "pay.example.com.",
        ] {
            assert_eq!(check(&names, at(host)), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "127.1",
            "2130706433",
            "0x7f000001",
            "internal",
            "xinternal",
            "pay.example.com.evil.example",
            "example.com",
            "x@localhost",
            "localhost..",
            "é.localhost",
        ] {
            assert!(check(&names, at(host)).is_err(), "{host}");
        }
        assert_eq!(check(&[], at("pay.example.com")), Err(Code::HostNotServed));
        for host in ["a b", "", "localhost:80:80", "/"] {
            assert_eq!(check(&names, at(host)), Err(Code::MalformedRequest), "{host:?}");
        }
        assert_eq!(check(&[], TestRequest::default()), Ok(()));
    }

    #[test]
    fn target_goes_before_host() {
        let get = |target: &str, host| TestRequest::default().uri(target).insert_header((HOST, host));
        assert_eq!(check(&[], get("http://evil.example/healthz", "localhost")), Err(Code::HostNotServed));
        assert_eq!(check(&[], get("http://localhost/healthz", "evil.example")), Ok(()));
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let names = ["pay.example.com"];
        let from = |host, origin| check(&names, at(host).insert_header((ORIGIN, origin)));
        for (host, origin) in [
            ("localhost:8080", "http://localhost:8080"),
            ("127.0.0.1", "http://127.0.0.1:80"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("pay.example.com", "https://pay.example.com"),
            ("pay.example.com:443", "https://PAY.example.com"),
        ] {
            assert_eq!(from(host, origin), Ok(()), "{host} {origin}");
        }
        for (host, origin) in [
            ("localhost:8080", "http://localhost:3000"),
            ("localhost:8080", "https://evil.example"),
            ("localhost:8080", "null"),
            ("localhost:8080", ""),
            ("localhost:8080", "http://127.0.0.1:8080"),
            ("localhost:8080", "http://localhost"),
            ("pay.example.com", "https://pay.example.com:8443"),
            ("localhost:8080", "file://"),
        ] {
            assert_eq!(from(host, origin), Err(Code::OriginNotAllowed), "{host} {origin}");
        }
    }

    #[test]
    fn no_header_hides_behind_another() {
        let own = || at("localhost").insert_header((ORIGIN, "http://localhost"));
        assert_eq!(check(&[], own()), Ok(()));
        for (name, value) in [(ORIGIN, "http://evil.example"), (SEC_FETCH_SITE, "cross-site")] {
            assert_eq!(check(&[], own().append_header((name, value))), Err(Code::OriginNotAllowed));
        }
    }

    #[test]
    fn of_other_sites_only_links_are_followed() {
        let from = |method: Method, site, mode| {
            let request = at("localhost").method(method).insert_header((SEC_FETCH_SITE, site));
            check(&[], request.insert_header((SEC_FETCH_MODE, mode)))
        };
        assert_eq!(from(Method::GET, "same-origin", "cors"), Ok(()));
        assert_eq!(from(Method::GET, "none", "navigate"), Ok(()));
        assert_eq!(from(Method::GET, "cross-site", "navigate"), Ok(()));
        let followed = |to| {
            let link = at("localhost").insert_header((SEC_FETCH_SITE, "cross-site"));
            check(&[], link.insert_header((SEC_FETCH_MODE, "navigate")).insert_header((SEC_FETCH_DEST, to)))
        };
        assert_eq!(followed("document"), Ok(()));
        for frame in ["iframe", "frame", "embed", "object"] {
            assert_eq!(followed(frame), Err(Code::OriginNotAllowed), "{frame}");
        }
        for (method, site, mode) in [
            (Method::GET, "cross-site", "no-cors"),
            (Method::GET, "same-site", "cors"),
            (Method::POST, "cross-site", "navigate"),
            (Method::POST, "same-site", "no-cors"),
        ] {
            assert_eq!(from(method.clone(), site, mode), Err(Code::OriginNotAllowed), "{method} {site} {mode}");
        }
    }
}
