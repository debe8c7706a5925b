//! The processor as a program.

fn main() -> std::process::ExitCode {
    runtime::process::main(
        "pulsemon-processor",
        processor::Config::from_env,
        processor::run,
    )
}
