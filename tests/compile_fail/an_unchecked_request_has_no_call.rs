use matrix_uia::BindingKey;
use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::server::endpoint::Endpoint;

fn handler(request: &ChangePasswordRequest<'_>, key: &BindingKey) {
    let _ = request.call(key);
}

fn main() {}
