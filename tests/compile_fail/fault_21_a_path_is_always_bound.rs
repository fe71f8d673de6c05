//! A request whose path holds a parameter can't be called before it was checked with that.

use matrix_uia::BindingKey;
use matrix_uia::endpoint::devices::DeleteDeviceRequest;
use matrix_uia::server::endpoint::Endpoint;

fn main() {
    let request = DeleteDeviceRequest::parse(b"{}").unwrap();
    let _ = request.call(&BindingKey::from_entropy([0; 16]));
}
