use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| u8::try_from(digit).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn list(fields: &[(&str, &str)]) -> usize {
    let one = |(name, value): &(&str, &str)| name.len() + value.len() + EACH_BYTES;
    fields.iter().map(one).sum()
}

const DATE: &str = "Mon, 21 Oct 2013 20:13:21 GMT";
const LATER: &str = "Mon, 21 Oct 2013 20:13:22 GMT";
const PLACE: (&str, &str) = ("location", "https://www.example.com");
const COOKIE: &str = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

/// The three answers of RFC 7541, appendix C.5 and C.6, one after the other on a connection whose table holds 256 bytes.
fn answers() -> [usize; 3] {
    let (private, date) = (("cache-control", "private"), ("date", DATE));
    [
        list(&[(":status", "302"), private, date, PLACE]),
        list(&[(":status", "307"), private, date, PLACE]),
        list(&[
            (":status", "200"),
            private,
            ("date", LATER),
            PLACE,
            ("content-encoding", "gzip"),
            ("set-cookie", COOKIE),
        ]),
    ]
}

fn assert_sizes(blocks: [&str; 3]) {
    let mut lists = Lists::default();
    let table_of_256_bytes = bytes("3f e1 01");
    assert_eq!(lists.bytes_of(&table_of_256_bytes), Some(0));
    let found = blocks.map(|block| lists.bytes_of(&bytes(block)).unwrap());
    assert_eq!(found, answers());
    assert_eq!(lists.table_bytes, 215, "as appendix C has it");
}

#[test]
fn the_examples_of_the_standard_have_their_sizes_in_plain_text() {
    assert_sizes([
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d \
         546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f \
         6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b \
         2076 6572 7369 6f6e 3d31",
    ]);
}

#[test]
fn the_examples_of_the_standard_have_their_sizes_in_huffmans_codes() {
    assert_sizes([
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 \
         8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 \
         dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ]);
}

#[test]
fn each_code_stands_for_one_character_whatever_its_length() {
    let mut first = 0_u32;
    let mut before = 0;
    let mut all = 0;
    for (length, count) in CODES {
        first <<= length - before;
        before = length;
        for code in first..first + count {
            assert!(is_code(code, length), "{code:x} of {length} bits");
            assert!(!is_code(code, length + 1) || length == 30, "{code:x}");
            all += 1;
        }
        first += count;
    }
    assert_eq!(all, 257, "all bytes, and the end");
    assert_eq!(first, 1 << 30, "no code is left over");
}

#[test]
fn a_few_bytes_can_stand_for_a_long_list() {
    let mut lists = Lists::default();
    let long = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4000]].concat();
    let field = list(&[("x", &"y".repeat(4000))]);
    assert_eq!(lists.bytes_of(&long), Some(field));
    assert_eq!(lists.bytes_of(&[0xbe; 100]), Some(100 * field));
    // What does not fit into the table empties it.
    let longer = [&[0x40, 1, b'x', 0x7f, 0x82, 0x1f][..], &[b'y'; 4097]].concat();
    assert!(lists.bytes_of(&longer).is_some());
    assert_eq!(lists.bytes_of(&[0xbe]), None);
}

#[test]
fn what_is_no_block_has_no_size() {
    for block in [
        &[0x80][..],                     // index 0
        &[0xbe],                         // behind the static table, and nothing there
        &[0x40, 5, b'x'],                // a name that is cut off
        &[0x3f, 0xe2, 0x1f],             // a larger table than was offered
        &[0xff, 0xff, 0xff, 0xff, 0xff], // a number without end
        &[0x00, 0x7f, 0xff, 0xff, 0xff], // the same as a length
    ] {
        assert_eq!(Lists::default().bytes_of(block), None, "{block:x?}");
    }
    assert_eq!(Lists::default().bytes_of(&[]), Some(0));
}
