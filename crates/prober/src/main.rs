//! The prober's program.

/// Probes are many short-lived allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    runtime::process::main("pulsemon-prober", prober::Config::from_env, prober::run)
}
