//! Networks of the config, and whose limits an address counts against.

use serde::Deserialize;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An address, or all that begin with the same bits: `"127.0.0.1"`, `"10.0.0.0/8"`, `"fd00::/8"`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs) = (self.address, address.to_canonical());
        if ours.is_ipv4() != theirs.is_ipv4() {
            return false;
        }
        let differing = left_aligned(ours) ^ left_aligned(theirs);
        differing.leading_zeros() >= u32::from(self.bits)
    }
}

/// The bits of an address, from the highest of 128 on.
fn left_aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "not an address or a network";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| WRONG)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), str::parse).map_err(|_| WRONG)?;
        if bits > all {
            return Err(WRONG);
        }
        match address.to_canonical() {
            same if same == address => Ok(Self { address, bits }),
            // A prefix of a mapped address would be about the 96 bits before the IPv4 one.
            mapped if bits == all => Ok(Self { address: mapped, bits: 32 }),
            _ => Err(WRONG),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// What an address counts as where something is limited: itself, or its /64. That is what one customer of a
/// provider has at the least, so the addresses in it are no different peers.
pub fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_with_its_bits() {
        for (text, address, inside) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "203.0.113.9", false),
            ("fd00::/8", "fdab::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::1", "::1", true),
            ("::ffff:10.1.2.3", "10.1.2.3", true),
        ] {
            assert_eq!(network(text).contains(address.parse().unwrap()), inside, "{address} in {text}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "::ffff:10.0.0.0/104"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn ipv6_counts_by_its_first_64_bits_and_a_mapped_address_as_ipv4() {
        for (address, as_what) in [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(counted(address.parse().unwrap()).to_string(), as_what);
        }
    }
}
