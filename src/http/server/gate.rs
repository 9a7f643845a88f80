//! Which connections there is a place for: as many as may be in all, and of one address. Beyond both, a few spare ones
//! are for operators, who must be able to look at a node just when it is full.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use opentelemetry::metrics::Gauge;
use parking_lot::Mutex;

use crate::infra::telemetry::catalogue;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// In all, without the spare ones.
    pub connections: usize,
    /// Of one address, or of one /64 network of IPv6, which is what one customer gets (RFC 6177).
    pub per_address: usize,
    /// Beyond these limits, for operators.
    pub spare: usize,
}

impl Places {
    /// Connections that can be open at once.
    pub fn in_all(&self) -> usize {
        self.connections.saturating_add(self.spare)
    }
}

/// Keeps count of the process's connections.
pub struct Gate {
    places: Places,
    taken: Mutex<Taken>,
    open: Gauge<u64>,
}

#[derive(Default)]
struct Taken {
    all: Count,
    of: HashMap<IpAddr, Count>,
}

/// Connections that are open.
#[derive(Default, Clone, Copy)]
struct Count {
    ordinary: usize,
    spare: usize,
}

impl Count {
    fn of(&mut self, is_spare: bool) -> &mut usize {
        if is_spare { &mut self.spare } else { &mut self.ordinary }
    }
}

/// One connection's place, until it is dropped.
pub struct Place {
    gate: Arc<Gate>,
    address: IpAddr,
    is_spare: bool,
}

impl Gate {
    pub fn new(places: Places) -> Self {
        let open = catalogue::HTTP_CONNECTIONS.to_gauge();
        open.record(0, &[]);
        Self { places, taken: Mutex::default(), open }
    }

    /// A place for a connection from this address; none if even the spare ones are taken.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let Places { connections, per_address, spare } = self.places;
        let mut taken = self.taken.lock();
        let theirs = taken.of.get(&address).copied().unwrap_or_default();
        let is_spare = taken.all.ordinary >= connections || theirs.ordinary >= per_address;
        // Nobody gets more than half of the spare ones, so that who floods a node does not lock out its operator.
        if is_spare && (taken.all.spare >= spare || theirs.spare >= spare.div_ceil(2)) {
            return None;
        }
        *taken.all.of(is_spare) += 1;
        *taken.of.entry(address).or_default().of(is_spare) += 1;
        self.show(&taken);
        drop(taken);
        Some(Place { gate: self.clone(), address, is_spare })
    }

    fn show(&self, taken: &Taken) {
        self.open.record((taken.all.ordinary + taken.all.spare) as u64, &[]);
    }
}

impl Place {
    /// Whether only operators are served here.
    pub fn is_spare(&self) -> bool {
        self.is_spare
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.gate.taken.lock();
        *taken.all.of(self.is_spare) -= 1;
        if let Entry::Occupied(mut theirs) = taken.of.entry(self.address) {
            *theirs.get_mut().of(self.is_spare) -= 1;
            if theirs.get().ordinary + theirs.get().spare == 0 {
                theirs.remove();
            }
        }
        self.gate.show(&taken);
    }
}

/// What counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Arc<Gate> {
        Arc::new(Gate::new(Places { connections: 4, per_address: 3, spare: 2 }))
    }

    fn enter(gate: &Arc<Gate>, address: &str) -> Option<Place> {
        gate.enter(address.parse().unwrap())
    }

    #[test]
    fn address_beyond_its_limit_gets_half_of_the_spare_places() {
        let gate = gate();
        let mut places: Vec<_> = (0..3).map(|_| enter(&gate, "192.0.2.1").unwrap()).collect();
        assert!(places.iter().all(|place| !place.is_spare()));
        places.push(enter(&gate, "192.0.2.1").unwrap());
        assert!(places[3].is_spare());
        assert!(enter(&gate, "192.0.2.1").is_none());
        assert!(!enter(&gate, "192.0.2.2").unwrap().is_spare());
        places.clear();
        assert!(!enter(&gate, "192.0.2.1").unwrap().is_spare());
        assert!(gate.taken.lock().of.is_empty(), "nobody is remembered who is gone");
    }

    #[test]
    fn full_gate_has_spare_places_for_others() {
        let gate = gate();
        let _held: Vec<_> = (0..4).map(|n| enter(&gate, &format!("192.0.2.{n}")).unwrap()).collect();
        let first = enter(&gate, "192.0.2.1").unwrap();
        assert!(first.is_spare() && enter(&gate, "192.0.2.1").is_none());
        let second = enter(&gate, "192.0.2.9").unwrap();
        assert!(second.is_spare() && enter(&gate, "192.0.2.10").is_none());
        drop(first);
        assert!(enter(&gate, "192.0.2.10").is_some_and(|place| place.is_spare()));
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let gate = gate();
        let addresses = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3", "2001:db8::4"];
        let places: Vec<_> = addresses.iter().map(|address| enter(&gate, address).unwrap()).collect();
        assert_eq!(places.iter().filter(|place| place.is_spare()).count(), 1);
        assert!(!enter(&gate, "2001:db8:0:1::1").unwrap().is_spare());
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()).to_string(), "192.0.2.1");
    }
}
