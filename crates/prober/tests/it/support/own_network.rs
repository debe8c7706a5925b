//! A network of a test's own: a namespace of the kernel with public-looking addresses and no way out. So the guard is
//! tested as it ships, with nothing opened, and the kernel itself counts what was sent.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use runtime::env::{ProcessEnv, Vars as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Set for the second run of a test, inside its network.
const INSIDE: &str = "PULSEMON_TEST_OWN_NETWORK";

/// Public addresses of this machine, in its own network.
pub(crate) const PUBLIC_V4: &str = "93.184.216.34";
pub(crate) const OTHER_V4: &str = "151.101.1.69";
pub(crate) const PUBLIC_V6: &str = "2606:4700:4700::1111";
/// Private ones.
pub(crate) const PRIVATE_V4: &str = "10.0.0.5";
/// Public addresses for [`silent`] listeners.
pub(crate) const SILENT_V4: &str = "198.41.0.4";
pub(crate) const SILENT_V6: &str = "2001:500:2::c";
/// A public address to which there is no way.
pub(crate) const NO_ROUTE: &str = "1.1.1.1";

/// All addresses are this machine's; any other public one has no route. One repetition of a lost SYN is enough for the
/// system to give up within seconds.
const SET_UP: &str = "set -e
ip link set lo up
for ip in 93.184.216.34 151.101.1.69 10.0.0.5 169.254.169.254 198.41.0.4; do ip addr add $ip/32 dev lo; done
for ip in 2606:4700:4700::1111 2001:500:2::c; do ip -6 addr add $ip/128 dev lo nodad; done
echo 1 > /proc/sys/net/ipv4/tcp_syn_retries
exec \"$0\" --exact \"$1\" --nocapture";

/// Runs `test` in a network of its own, by starting this program once more for the test named `name` alone. Where the
/// kernel does not let us (it takes root), the test says so and proves nothing.
pub(crate) fn in_own_network(name: &str, test: impl Future<Output = ()>) {
    if ProcessEnv.var(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        return runtime.unwrap().block_on(test);
    }
    let unshared = |shell: &[&str]| {
        Command::new("unshare")
            .args(["--net", "sh", "-c"])
            .args(shell)
            .env(INSIDE, "1")
            .output()
    };
    let may = unshared(&["ip link set lo up"]);
    if !may.is_ok_and(|probe| probe.status.success()) {
        eprintln!("SKIPPED {name}: no network namespace with `ip` here (are you root?)");
        return;
    }
    let program = std::env::current_exe().unwrap();
    let ran = unshared(&[SET_UP, &program.to_string_lossy(), name]).unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// Connections that this network's machines have begun: a SYN for each.
pub(crate) fn connections_begun() -> u64 {
    let text = std::fs::read_to_string("/proc/self/net/snmp").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let column = names
        .split(' ')
        .position(|name| name == "ActiveOpens")
        .unwrap();
    values.split(' ').nth(column).unwrap().parse().unwrap()
}

/// A listener whose queue is full: the kernel drops every further SYN, so that an address is silent.
pub(crate) async fn silent(ip: &str) -> (TcpListener, Vec<TcpStream>) {
    let addr = SocketAddr::new(ip.parse().unwrap(), 80);
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .unwrap();
    socket.bind(addr).unwrap();
    let listener = socket.listen(0).unwrap();
    let mut filling = Vec::new();
    let patience = Duration::from_millis(200);
    while let Ok(stream) = tokio::time::timeout(patience, TcpStream::connect(addr)).await {
        filling.push(stream.unwrap());
    }
    (listener, filling)
}
