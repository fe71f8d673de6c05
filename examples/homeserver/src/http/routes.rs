//! What is mounted where.

use axum::Router;
use axum::routing::MethodRouter;

/// Endpoints, and the paths that they are found at.
///
/// Each path stands in the router whole: in a nested one, the path of every request would be made anew.
#[derive(Debug, Clone)]
pub struct Routes<S> {
    pub router: Router<S>,
    paths: Vec<String>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub fn new() -> Self {
        Self { router: Router::new(), paths: Vec::new() }
    }

    #[must_use]
    pub fn route(mut self, path: &str, methods: MethodRouter<S>) -> Self {
        self.paths.push(path.to_owned());
        self.router = self.router.route(path, methods);
        self
    }

    /// Mounts paths such as `/account/password` under `/_matrix/client/v3`, and under `r0`, which old clients
    /// still say and mean the same by.
    #[must_use]
    pub fn client(self, paths: impl IntoIterator<Item = (impl AsRef<str>, MethodRouter<S>)>) -> Self {
        paths.into_iter().fold(self, |routes, (path, methods)| {
            let [v3, r0] = ["v3", "r0"].map(|version| format!("/_matrix/client/{version}{}", path.as_ref()));
            routes.route(&v3, methods.clone()).route(&r0, methods)
        })
    }

    pub fn with_state(self, state: S) -> Routes<()> {
        Routes { router: self.router.with_state(state), paths: self.paths }
    }
}

impl Routes<()> {
    pub(super) fn into_parts(self) -> (Router, Paths) {
        (self.router, Paths::of(self.paths))
    }
}

/// Which of the mounted paths one is, as the router finds it. The router's own answer is known inside of it alone, and a
/// layer there is one around each endpoint.
pub(super) struct Paths {
    mounted: Vec<String>,
    numbers: matchit::Router<usize>,
}

impl Paths {
    fn of(mounted: Vec<String>) -> Self {
        let mut numbers = matchit::Router::new();
        for (number, path) in mounted.iter().enumerate() {
            // The router, which is the same, would have refused it.
            let _ = numbers.insert(path, number);
        }
        Self { mounted, numbers }
    }

    /// The number of the path that one such as `/_matrix/client/v3/devices/JLAFKJWSCS` is found at.
    pub(super) fn number(&self, path: &str) -> Option<usize> {
        self.numbers.at(path).ok().map(|found| *found.value)
    }

    /// The path of that number as it was mounted: `/_matrix/client/v3/devices/{device_id}`.
    pub(super) fn mounted(&self, number: Option<usize>) -> Option<&str> {
        self.mounted.get(number?).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;

    #[test]
    fn a_path_is_known_by_what_was_mounted() {
        let all = || get(async || "");
        let routes = Routes::<()>::new().client([("/devices", all()), ("/devices/{device_id}", all())]);
        let (_, paths) = routes.route("/_matrix/client/versions", all()).into_parts();
        for (path, expected) in [
            ("/_matrix/client/v3/devices", Some("/_matrix/client/v3/devices")),
            ("/_matrix/client/r0/devices/SECRET", Some("/_matrix/client/r0/devices/{device_id}")),
            ("/_matrix/client/versions", Some("/_matrix/client/versions")),
            ("/_matrix/client/v3/devices/SECRET/more", None),
            ("/SECRET", None),
            ("", None),
        ] {
            assert_eq!(paths.mounted(paths.number(path)), expected, "{path}");
        }
    }
}
