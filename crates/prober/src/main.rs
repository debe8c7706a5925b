//! The prober's program.

fn main() -> std::process::ExitCode {
    runtime::process::main("pulsemon-prober", prober::Config::from_env, prober::run)
}
