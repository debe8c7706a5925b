//! Reads variables, remembers every mistake.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use secrecy::SecretString;

use super::{EnvError, EnvErrors, Vars};

/// Reads settings one by one and notes all mistakes until [`Reader::finish`].
pub struct Reader<'a> {
    vars: &'a dyn Vars,
    errors: RefCell<Vec<EnvError>>,
    asked: RefCell<Vec<String>>,
}

impl<'a> Reader<'a> {
    /// Reads from `vars`.
    pub fn new(vars: &'a dyn Vars) -> Self {
        Self {
            vars,
            errors: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    /// The text of `name`, `None` when unset or empty. Surrounding blanks are dropped.
    pub fn text(&self, name: &str) -> Option<String> {
        self.note_asked(name);
        let value = self.vars.var(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// A value that must be there.
    pub fn required<T: FromStr<Err: Display>>(&self, name: &str) -> Option<T> {
        match self.text(name) {
            Some(text) => self.parse(name, &text),
            None => self.refuse(name, "is required and not set"),
        }
    }

    /// A value that may be left out. `None` when it is, or when it is wrong (which is noted).
    pub fn optional<T: FromStr<Err: Display>>(&self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        self.parse(name, &text)
    }

    /// A value, or `default` where it is left out.
    pub fn or<T: FromStr<Err: Display>>(&self, name: &str, default: T) -> Option<T> {
        match self.text(name) {
            Some(text) => self.parse(name, &text),
            None => Some(default),
        }
    }

    /// A value within `range`, or `default` where it is left out.
    pub fn ranged<T>(&self, name: &str, default: T, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr<Err: Display> + PartialOrd + Display,
    {
        let value = self.or(name, default)?;
        if range.contains(&value) {
            return Some(value);
        }
        let (least, most) = (range.start(), range.end());
        self.refuse(
            name,
            format!("must lie between {least} and {most}, not {value}"),
        )
    }

    /// One of some words (compared without case), or `default` where it is left out.
    pub fn choice<T: Copy>(&self, name: &str, default: T, words: &[(&str, T)]) -> Option<T> {
        let Some(text) = self.text(name) else {
            return Some(default);
        };
        let found = words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(&text));
        if let Some((_, value)) = found {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.refuse(
            name,
            format!("must be one of {}, not `{text}`", known.join(", ")),
        )
    }

    /// Values separated by commas; empty where it is left out.
    pub fn list<T: FromStr<Err: Display>>(&self, name: &str) -> Option<Vec<T>> {
        let Some(text) = self.text(name) else {
            return Some(Vec::new());
        };
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            // Not `collect::<Option<_>>()` at once: it would stop at the first wrong item.
            .map(|item| self.parse(name, item))
            .collect::<Vec<Option<T>>>()
            .into_iter()
            .collect()
    }

    /// A secret that must be there, as `name` or as the file that `name_FILE` names.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        match self.secret_text(name) {
            Ok(Some(text)) => Some(text.into()),
            Ok(None) => self.refuse(name, "is required and not set"),
            Err(Noted) => None,
        }
    }

    /// A secret that may be left out. `None` when it is, or when it is wrong (which is noted).
    pub fn optional_secret(&self, name: &str) -> Option<SecretString> {
        self.secret_text(name).ok().flatten().map(Into::into)
    }

    /// A secret, or `default` where it is left out.
    pub fn secret_or(&self, name: &str, default: &str) -> Option<SecretString> {
        match self.secret_text(name) {
            Ok(text) => Some(text.unwrap_or_else(|| default.to_owned()).into()),
            Err(Noted) => None,
        }
    }

    /// Notes a mistake that the caller found; always `None`, so that it can end a function.
    /// `problem` must not hold a secret.
    pub fn refuse<T>(&self, name: &str, problem: impl Into<String>) -> Option<T> {
        self.errors.borrow_mut().push(EnvError {
            name: name.to_owned(),
            problem: problem.into(),
        });
        None
    }

    /// Every name that was asked for so far, without the `_FILE` twins; sorted, each once.
    /// A test holds `.env.example` against it.
    pub fn names_asked(&self) -> Vec<String> {
        let mut names = self.asked.borrow().clone();
        names.sort();
        names.dedup();
        names
    }

    /// Builds the configuration from values that were all right.
    ///
    /// # Errors
    /// Every mistake noted since the reader was made; `build` is not called then.
    pub fn finish<C>(self, build: impl FnOnce() -> Option<C>) -> Result<C, EnvErrors> {
        let errors = self.errors.into_inner();
        if !errors.is_empty() {
            return Err(EnvErrors(errors));
        }
        // `None` here is a reader method that forgot to note its mistake.
        build().ok_or_else(|| {
            EnvErrors(vec![EnvError {
                name: "configuration".into(),
                problem: "a setting is missing that nothing complained about".into(),
            }])
        })
    }

    fn parse<T: FromStr<Err: Display>>(&self, name: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => self.refuse(name, format!("`{text}` is not valid: {error}")),
        }
    }

    /// The secret's text; the one place that looks at `NAME_FILE`.
    pub(super) fn secret_text(&self, name: &str) -> Result<Option<String>, Noted> {
        let direct = self.text(name);
        let file_name = format!("{name}_FILE");
        let file = self.vars.var(&file_name).filter(|path| !path.is_empty());
        let noted = |problem: String| {
            self.refuse::<()>(&file_name, problem);
            Err(Noted)
        };
        let Some(path) = file else {
            return Ok(direct);
        };
        if direct.is_some() {
            return noted(format!("is set, and so is {name}: set one of them"));
        }
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => noted(format!("the file {path} is empty")),
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) => noted(format!("cannot read {path}: {error}")),
        }
    }

    fn note_asked(&self, name: &str) {
        self.asked.borrow_mut().push(name.to_owned());
    }
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("errors", &self.errors.borrow())
            .finish_non_exhaustive()
    }
}

/// The mistake has been noted in the reader.
#[derive(Debug)]
pub(super) struct Noted;
