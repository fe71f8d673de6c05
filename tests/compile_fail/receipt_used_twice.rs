use matrix_uia::server::session::Receipt;

fn both_ways(receipt: Receipt) {
    let _failed = receipt.failed();
    let _failed_again = receipt.failed();
}

fn main() {}
