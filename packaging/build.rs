//! Leaves the tables for unwinding out of programs for releases: a sixth of their size, which
//! nothing reads where a panic aborts.

#![expect(clippy::disallowed_methods, reason = "these are no settings of the program but Cargo's")]

fn main() {
    println!("cargo:rerun-if-changed=packaging/no-unwind.ld");
    let is = |name, value| std::env::var(name).is_ok_and(|own| own == value);
    // Cargo does not tell a build script its profile. `dist` is the only one that optimizes for
    // size, and there a panic aborts.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("OPT_LEVEL", "s") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{folder}/packaging/no-unwind.ld");
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
}
