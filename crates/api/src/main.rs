//! The HTTP process.

fn main() -> std::process::ExitCode {
    runtime::process::main("pulsemon-api", api::Config::from_env, api::run)
}
