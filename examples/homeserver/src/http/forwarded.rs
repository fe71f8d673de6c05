//! Where a request comes from, if proxies that the config trusts have handed it on.
//!
//! ```text
//!  client ─► proxy ─► proxy ─► this server          X-Forwarded-For: client, proxy
//!                              the connection's address is the last proxy's
//! ```
//!
//! Each proxy adds at the right whom it was handed the request by. Whatever stands to the left of the first
//! address that isn't a trusted proxy's was written by that address itself, and may be anything.

use crate::network::Network;
use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HeaderName};
use std::net::{IpAddr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address: the connection's, or what trusted proxies say.
///
/// Both headers may be there: the one that the proxy writes, and another that the client wrote and the proxy
/// passed on. Where they say different things, none is believed.
pub fn client_address(connection: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let connection = connection.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(connection) {
        return connection;
    }
    let follow = |hops: Vec<Option<IpAddr>>| {
        let mut last = connection;
        for hop in hops.into_iter().rev() {
            // A proxy that hides whom it serves is as far as it can be told.
            let Some(hop) = hop else { break };
            last = hop;
            if !is_trusted(hop) {
                break;
            }
        }
        last
    };
    let said = |name: &HeaderName, read: fn(&str) -> Option<IpAddr>| {
        headers.contains_key(name).then(|| follow(hops(headers, name, read)))
    };
    match (said(&FORWARDED, forwarded_for), said(&X_FORWARDED_FOR, node)) {
        (Some(one), Some(other)) if one != other => connection,
        (one, other) => one.or(other).unwrap_or(connection),
    }
}

/// Every hop that a header names, from left to right; `None` for one that is no address.
fn hops(headers: &HeaderMap, name: &HeaderName, read: fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default());
    lines.flat_map(|line| line.split(',')).map(|hop| read(hop.trim())).collect()
}

/// `for=192.0.2.43;proto=http` (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    node(quoted.unwrap_or(value))
}

/// An address, with a port or without, IPv6 in brackets or not.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let address: Option<IpAddr> = text.parse().ok().or_else(with_port).or_else(bracketed);
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(connection: &str, lines: &[(&'static str, &'static str)]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        client_address(connection.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let said = [("x-forwarded-for", "203.0.113.9")];
        assert_eq!(client("10.0.0.1", &said), "203.0.113.9");
        assert_eq!(client("::ffff:10.0.0.1", &said), "203.0.113.9");
        assert_eq!(client("11.0.0.1", &said), "11.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn from_the_right_the_first_that_is_no_proxy_is_the_client() {
        for (header, line, found) in [
            ("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
            ("x-forwarded-for", "1.1.1.1,203.0.113.9:4711,10.0.0.2", "203.0.113.9"),
            ("x-forwarded-for", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("x-forwarded-for", "2001:db8::1", "2001:db8::1"),
            ("x-forwarded-for", "[2001:db8::1]", "2001:db8::1"),
            ("x-forwarded-for", "203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"),
            ("x-forwarded-for", "203.0.113.9, ", "10.0.0.1"),
            ("forwarded", "for=1.1.1.1, for=203.0.113.9;proto=https, by=x;For=10.0.0.2", "203.0.113.9"),
            ("forwarded", "for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("forwarded", "for=_hidden", "10.0.0.1"),
            ("forwarded", "proto=https", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[(header, line)]), found, "{header}: {line}");
        }
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(client("10.0.0.1", &lines), "203.0.113.9", "lines are one list");
    }

    #[test]
    fn two_headers_that_say_different_things_are_not_believed() {
        let both = |one, other| [("forwarded", one), ("x-forwarded-for", other)];
        assert_eq!(client("10.0.0.1", &both("for=1.1.1.1", "203.0.113.9")), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &both("for=203.0.113.9", "203.0.113.9")), "203.0.113.9");
    }
}
