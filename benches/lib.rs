//! Nothing but benches: `cargo bench --bench peers`.
