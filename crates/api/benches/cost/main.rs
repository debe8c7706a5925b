//! What requests cost: logins of known and unknown addresses, other routes under a login storm, the CPU of an
//! authenticated read beside bare actix with one indexed lookup, and a list of a hundred services.
//!
//! `cargo xtask bench api` starts PostgreSQL, builds the program and runs this. Everything runs on this machine, over
//! loopback. Start reading at [`measure()`].

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench stops where it cannot measure, and prints what it measured"
)]

/// The program's allocator, for the yardstick too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod bare;
mod client;
mod cpu;
mod logins;
mod program;
mod reads;

use testkit::TestDb;

use client::Client;
use program::Program;

/// What can be asked for alone.
const PARTS: [&str; 2] = ["logins", "reads"];

fn main() {
    // Cargo adds `--bench`; our own child comes with a word and its numbers.
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["bare", port, user] => {
            let port = port.parse().expect("a port");
            bare::serve(port, user.parse().expect("an id"));
        }
        // All of it, or the part that is named.
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(measure(&words)),
    }
}

async fn measure(words: &[&str]) {
    let is_wanted = |part| !words.iter().any(|word| PARTS.contains(word)) || words.contains(&part);
    let db = TestDb::new().await;
    let api = Program::api(&db).await;
    let client = Client::new(api.port());
    println!("| measured | figure |\n|---|---|");
    if is_wanted("logins") {
        let tenant = client.tenant("ann@example.com").await;
        eprintln!("    logins of a known and an unknown address");
        logins::compare(&client, &tenant).await;
        eprintln!("    a login storm");
        logins::storm(&client, &tenant).await;
    }
    if is_wanted("reads") {
        // Another: the storm's oldest sessions have ended, for an account has a hundred at most.
        let tenant = client.tenant("bob@example.com").await;
        eprintln!("    reads, in turns with bare actix");
        reads::compare(&db, &api, &client, &tenant).await;
        reads::list(&db, &api, &client, &tenant).await;
    }
}
