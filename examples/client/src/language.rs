//! Which language whoever is there reads.

/// The language of the environment, as BCP 47 writes it.
pub fn of_the_environment() -> Option<String> {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .and_then(|locale| of_locale(&locale))
}

/// `de_AT.UTF-8@euro` is `de-AT`; `C` is no language.
fn of_locale(locale: &str) -> Option<String> {
    let name = locale.split(['.', '@']).next().unwrap_or_default();
    (!matches!(name, "" | "C" | "POSIX")).then(|| name.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_read_as_far_as_its_language() {
        for (locale, language) in [
            ("de_AT.UTF-8", Some("de-AT")),
            ("fr", Some("fr")),
            ("sr_RS@latin", Some("sr-RS")),
            ("C.UTF-8", None),
            ("POSIX", None),
            ("", None),
        ] {
            assert_eq!(of_locale(locale).as_deref(), language);
        }
    }
}
