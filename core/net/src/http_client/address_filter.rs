//! Which network addresses the host may connect to.
//!
//! A name that a stranger chose (an SRV target, a redirect) must not turn the host into a client of the
//! administrator's own network. The check is made on the address that is connected to, after the name was
//! resolved, so that a name which changes its mind between two look-ups gains nothing.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Lets through public addresses, and the networks that the administrator listed.
#[derive(Clone, Debug, Default)]
pub struct AddressFilter {
    allowed: Vec<IpNet>,
}

impl AddressFilter {
    /// A filter that lets through `allowed` besides public addresses (`client.allow_networks`).
    pub const fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether the host may connect to `address`.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address)
            || self
                .allowed
                .iter()
                .any(|network| network.contains(&address))
    }
}

/// Whether an address is one of the public Internet (IANA special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || a == 100 && b & 0b1100_0000 == 64 // shared address space, RFC 6598
        || a == 192 && b == 0 && c == 0 // protocol assignments
        || a == 192 && b == 88 && c == 99 // 6to4 relays
        || a == 198 && b & 0b1111_1110 == 18 // benchmarks
        || a >= 224) // multicast, reserved, broadcast
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        // IPv4 within IPv6: NAT64 (RFC 6052) and 6to4 (RFC 3056) lead where the inner address leads.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_v4(inner_v4(high, low))
        }
        [0x2001, 0xdb8, ..] | [0x3fff, ..] => false, // documentation
        [0x2001, second, ..] if second < 0x200 => false, // protocol assignments, Teredo
        // Everything public lies in 2000::/3; loopback, link-local, unique-local and multicast do not.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

fn inner_v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        let filter = AddressFilter::default();
        for public in [
            "93.184.216.34",
            "1.1.1.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
        ] {
            assert!(filter.permits(public.parse().unwrap()), "{public}");
        }
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "fec0::1",
            "::7f00:1",
        ] {
            assert!(!filter.permits(inside.parse().unwrap()), "{inside}");
        }
    }

    #[test]
    fn a_listed_network_passes_too() {
        let filter = AddressFilter::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(filter.permits("127.0.0.1".parse().unwrap()));
        assert!(filter.permits("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!filter.permits("10.0.0.1".parse().unwrap()));
    }
}
