//! The alerter as a program.

fn main() -> std::process::ExitCode {
    runtime::process::main("pulsemon-alerter", alerter::Config::from_env, alerter::run)
}
