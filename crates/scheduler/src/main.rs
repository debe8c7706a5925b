//! The scheduling process.

fn main() -> std::process::ExitCode {
    runtime::process::main(
        "pulsemon-scheduler",
        |vars| scheduler::Config::from_env(vars),
        scheduler::run,
    )
}
