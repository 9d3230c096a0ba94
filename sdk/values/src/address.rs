//! Addresses as a field of type `ip` holds them: 128 bits, with IPv4 mapped into them.
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// One address, or all addresses with the same prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Addresses {
    first: u128,
    last: u128,
}

/// The prefix of mapped IPv4 addresses: `::ffff:0:0/96`.
const MAPPED: u128 = 0xffff << 32;

impl Addresses {
    /// Reads `10.1.2.3`, `10.1.0.0/16`, `2001:DB8::1`, `::ffff:10.1.2.3`.
    pub fn read(text: &str) -> Option<Self> {
        let Some((address, bits)) = text.split_once('/') else {
            let address = address(text)?;
            return Some(Self { first: address, last: address });
        };
        let bits: u32 = bits.parse().ok()?;
        let bits = match address.contains(':') {
            true => bits,
            false => bits.checked_add(96).filter(|bits| *bits <= 128)?,
        };
        let rest = match bits {
            0 => u128::MAX,
            1..=128 => u128::MAX.checked_shr(bits).unwrap_or(0),
            _ => return None,
        };
        let address = self::address(address)?;
        Some(Self { first: address & !rest, last: address | rest })
    }

    pub fn first(self) -> u128 {
        self.first
    }

    pub fn last(self) -> u128 {
        self.last
    }

    pub fn is_one(self) -> bool {
        self.first == self.last
    }
}

/// In the form that a cluster reads: the address itself, or the first address and the prefix length.
impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = (self.first ^ self.last).leading_zeros();
        let first = Ipv6Addr::from(self.first);
        match first.to_ipv4_mapped() {
            Some(first) if self.is_one() => write!(f, "{first}"),
            Some(first) if bits >= 96 => write!(f, "{first}/{}", bits - 96),
            None if self.is_one() => write!(f, "{first}"),
            // Rust would write the end of a mapped address as IPv4, which servers do not accept here.
            Some(_) => write!(f, "0:0:0:0:0:ffff:0:0/{bits}"),
            None => write!(f, "{first}/{bits}"),
        }
    }
}

fn address(text: &str) -> Option<u128> {
    match text.parse().ok()? {
        IpAddr::V4(address) => Some(MAPPED | u128::from(u32::from(address))),
        IpAddr::V6(address) => Some(address.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Addresses {
        Addresses::read(text).unwrap()
    }

    fn holds(range: &str, address: &str) -> bool {
        (read(range).first..=read(range).last).contains(&read(address).first)
    }

    #[test]
    fn spellings_of_one_address_are_the_same() {
        assert_eq!(read("2001:DB8:0:0:0:0:0:1"), read("2001:db8::1"));
        assert_eq!(read("::ffff:10.1.2.3"), read("10.1.2.3"));
        assert_eq!(read("10.1.2.9/16"), read("10.1.0.0/16"));
        assert_eq!(read("::ffff:10.1.0.0/112"), read("10.1.0.0/16"));
    }

    #[test]
    fn ranges_hold_what_lies_in_them() {
        assert!(holds("10.1.0.0/16", "10.1.2.3") && !holds("10.1.0.0/16", "10.2.0.0"));
        assert!(holds("10.1.0.0/16", "::ffff:10.1.2.3"));
        assert!(holds("2001:db8::/32", "2001:db8:1::2") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(holds("::/0", "10.1.2.3") && holds("0.0.0.0/0", "255.1.2.3") && !holds("0.0.0.0/0", "::1"));
    }

    #[test]
    fn they_are_written_as_clusters_read_them() {
        for (text, written) in [
            ("10.1.2.9/16", "10.1.0.0/16"),
            ("10.1.2.9/32", "10.1.2.9"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.0.0/112", "10.1.0.0/16"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8::5/32", "2001:db8::/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(read(text).to_string(), written);
        }
        for text in ["10.1", "10.1.2.3/33", "::1/129", "10.1.2.3/", "/8", "a", "", "10.1.2.3/-1", " 10.1.2.3"]
        {
            assert_eq!(Addresses::read(text), None, "{text}");
        }
    }
}
