use matrix_uia::server::commit::Change;

fn carry_out(change: Change<'_>) {
    match change {
        Change::Undo => {}
        Change::Put(_) => {}
        Change::Remove { .. } => {}
        Change::Spend { .. } => {}
    }
}

fn main() {}
