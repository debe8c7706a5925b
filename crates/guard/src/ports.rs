//! Ports that are refused: the "bad ports" of the WHATWG Fetch standard, and services that hold an operator's secrets.

/// The block list of <https://fetch.spec.whatwg.org/#port-blocking>: protocols that a stray HTTP request can hurt.
const WHATWG: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

/// Docker, databases, remote desktops, message brokers and their consoles, caches, Kubernetes.
const INFRASTRUCTURE: &[u16] = &[
    2375, 2379, 3306, 3389, 5432, 5671, 5672, 6379, 6443, 9200, 10250, 11211, 15672, 27017,
];

/// Whether `port` is on one of the lists.
pub(crate) fn is_refused(port: u16) -> bool {
    WHATWG.contains(&port) || INFRASTRUCTURE.contains(&port)
}

#[cfg(test)]
mod tests {
    use super::is_refused;

    #[test]
    fn exactly_the_ports_of_the_standard_and_of_infrastructure_are_refused() {
        let refused: Vec<u16> = (0..=u16::MAX).filter(|port| is_refused(*port)).collect();
        // As the standard and the operators' list have them, in one order.
        let expected = "0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 \
            113 115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 \
            563 587 601 636 989 990 993 995 1719 1720 1723 2049 2375 2379 3306 3389 3659 4045 4190 5060 5061 5432 \
            5671 5672 6000 6379 6443 6566 6665 6666 6667 6668 6669 6679 6697 9200 10080 10250 11211 15672 27017";
        let expected: Vec<u16> = expected
            .split_whitespace()
            .map(|port| port.parse().unwrap())
            .collect();
        assert_eq!(refused, expected);
    }

    #[test]
    fn web_ports_pass_and_other_peoples_protocols_do_not() {
        assert!(
            [80, 443, 8080, 8443, 3000, 1, 65535]
                .iter()
                .filter(|port| is_refused(**port))
                .eq([1].iter())
        );
        assert!(
            [
                0, 22, 25, 110, 143, 389, 5432, 5671, 5672, 6000, 6379, 6667, 27017
            ]
            .iter()
            .all(|port| is_refused(*port))
        );
    }
}
