//! The HTTP process.

/// Requests are many short-lived allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    runtime::process::main("pulsemon-api", api::Config::from_env, api::run)
}
