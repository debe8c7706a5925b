//! Ports: chosen once, kept in the data folder, chosen again when someone else took one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Below the range from which systems take ports for outgoing connections, so that a port that
/// was free a moment ago is still free when its server binds it.
const FIRST: u16 = 20_000;
const LAST: u16 = 29_999;

/// The ports of one data folder, by name.
#[derive(Debug)]
pub(crate) struct Ports {
    path: PathBuf,
    kept: BTreeMap<String, u16>,
}

impl Ports {
    /// Reads the file, if there is one; lines that are not `name=port` are ignored.
    pub(crate) fn load(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        Self {
            path: path.to_owned(),
            kept: parse(&text),
        }
    }

    /// A free port for every name, in order: the kept one where it is still free. Kept for the next time.
    pub(crate) fn settle<const N: usize>(&mut self, names: [&str; N]) -> anyhow::Result<[u16; N]> {
        let seed = crate::secrets::random_hex(2)?;
        let seed = u16::from_str_radix(&seed, 16).unwrap_or_default();
        let mut ports = [0; N];
        for (port, name) in ports.iter_mut().zip(names) {
            *port = choose(&self.kept, name, seed, is_free)
                .with_context(|| format!("no free port from {FIRST} to {LAST} for {name}"))?;
            self.kept.insert(name.to_owned(), *port);
        }
        std::fs::write(&self.path, write(&self.kept))
            .with_context(|| format!("write {}", self.path.display()))?;
        Ok(ports)
    }

    /// Proposes a port for a name that has none yet.
    pub(crate) fn prefer(&mut self, name: &str, port: u16) {
        if is_free(port) {
            self.kept.entry(name.to_owned()).or_insert(port);
        }
    }
}

/// Whether nobody listens on this port, neither on loopback nor on every address.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

fn parse(text: &str) -> BTreeMap<String, u16> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .filter_map(|(name, port)| Some((name.to_owned(), port.parse().ok()?)))
        .collect()
}

fn write(kept: &BTreeMap<String, u16>) -> String {
    let mut text = String::new();
    for (name, port) in kept {
        // Writing to a String cannot fail.
        if writeln!(text, "{name}={port}").is_err() {
            break;
        }
    }
    text
}

/// The kept port if it is free and not another name's, else the first such one from the seed on.
fn choose(
    kept: &BTreeMap<String, u16>,
    name: &str,
    seed: u16,
    is_free: impl Fn(u16) -> bool,
) -> Option<u16> {
    let usable = |port: u16| {
        let taken = kept.iter().any(|(other, p)| other != name && *p == port);
        !taken && is_free(port)
    };
    let range = LAST - FIRST + 1;
    kept.get(name)
        .copied()
        .filter(|port| usable(*port))
        .or_else(|| {
            (0..range)
                .map(|step| FIRST + (seed % range + step) % range)
                .find(|port| usable(*port))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_survives_a_round_trip_and_ignores_junk() {
        let kept = parse("amqp=20001\njunk\nbig=70000\n=\npostgres=20000\n");
        assert_eq!(write(&kept), "amqp=20001\npostgres=20000\n");
    }

    #[test]
    fn a_kept_port_stays_while_it_is_free() {
        let kept = parse("amqp=20001\n");
        assert_eq!(choose(&kept, "amqp", 7, |_| true), Some(20_001));
    }

    #[test]
    fn a_taken_port_is_chosen_again_and_never_another_names() {
        let kept = parse("amqp=20001\npostgres=20008\n");
        let chosen = choose(&kept, "amqp", 7, |port| port != 20_001 && port != 20_007);
        assert_eq!(chosen, Some(20_009));
    }

    #[test]
    fn the_search_wraps_around_and_ends() {
        let kept = BTreeMap::new();
        assert_eq!(
            choose(&kept, "x", LAST - FIRST, |port| port == FIRST),
            Some(FIRST)
        );
        assert_eq!(choose(&kept, "x", 5, |_| false), None);
    }

    #[test]
    fn a_port_that_someone_listens_on_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
    }
}
