//! The embedded migrations are read at compile time: a new or changed file rebuilds this crate
//! and changes the fingerprint by which test templates are told apart.

use std::error::Error;
use std::path::PathBuf;

const MIGRATIONS: &str = "../../migrations";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={MIGRATIONS}");
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in std::fs::read_dir(MIGRATIONS)? {
        for file in std::fs::read_dir(folder?.path())? {
            files.push(file?.path());
        }
    }
    files.sort();
    let mut hash = FNV_OFFSET;
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
        hash = fnv(hash, file.to_string_lossy().as_bytes());
        hash = fnv(hash, &std::fs::read(&file)?);
    }
    println!("cargo:rustc-env=MIGRATIONS_FINGERPRINT={hash:016x}");
    Ok(())
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
    })
}
