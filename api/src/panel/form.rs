//! Forms: fields in sections, each with an explanation and, if its value was rejected, the error. A rejected form is
//! shown again with the values that the user had filled in.

use super::fields::{Fields, TOKEN};
use super::gate::Known;
use super::words::Words;
use askama::Template;

/// A form.
#[derive(Template)]
#[template(path = "form.html")]
pub(super) struct FormBlock {
    pub(super) w: &'static Words,
    /// The prefix of the identifiers of its elements, because a page may have several forms.
    pub(super) id: &'static str,
    /// `post`, or `get` for a form that changes nothing.
    pub(super) method: &'static str,
    /// The path that the form is sent to.
    pub(super) action: String,
    /// The word on its button.
    pub(super) button: &'static str,
    /// Names and values that are sent and not shown.
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) sections: Vec<Section>,
    /// The reason for which the form was rejected, if it does not belong to one field.
    pub(super) refusal: Option<String>,
    /// Whether the user may see the values but not change them.
    pub(super) is_locked: bool,
    /// Whether the form uploads a file.
    pub(super) is_upload: bool,
}

/// Fields that belong together.
pub(super) struct Section {
    /// Empty if the section needs no title.
    pub(super) title: &'static str,
    pub(super) fields: Vec<Field>,
    /// Whether the section is collapsed until the user opens it.
    pub(super) is_folded: bool,
}

/// A field of a form.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) shape: Shape,
    pub(super) value: String,
    /// The explanation, with the values that are allowed.
    pub(super) hint: String,
    /// A warning about the present value, in English, as the commands print it.
    pub(super) warning: Option<String>,
    /// The reason for which its value was rejected.
    pub(super) error: Option<String>,
}

/// The kind of a field.
pub(super) enum Shape {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// Several lines.
    Lines,
    /// A choice between these values, each with its word.
    Choice(Vec<(String, String)>),
    /// Any number of these values, each with its words. The value has those that are chosen, with blanks between.
    Boxes(Vec<(String, String)>),
    /// A file.
    File,
    /// A day without a time.
    Day,
    /// A secret.
    Password,
}

impl Field {
    /// A field for any text.
    pub(super) fn text(name: &str, label: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            shape: Shape::Text,
            value: value.into(),
            hint: String::new(),
            warning: None,
            error: None,
        }
    }

    /// A field of this shape.
    pub(super) fn of(shape: Shape, name: &str, label: &str, value: impl Into<String>) -> Self {
        Self { shape, ..Self::text(name, label, value) }
    }

    /// A choice between `yes` and `no`.
    pub(super) fn yes_no(w: &'static Words, name: &str, label: &str, is_yes: bool) -> Self {
        let choices = [("yes", w.yes), ("no", w.no)].map(|(value, word)| (value.to_owned(), word.to_owned()));
        Self::of(Shape::Choice(choices.into()), name, label, if is_yes { "yes" } else { "no" })
    }

    /// Adds an explanation.
    pub(super) fn with(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// Whether one of several values is chosen.
    fn has(&self, value: &str) -> bool {
        self.value.split(' ').any(|chosen| chosen == value)
    }

    /// The identifiers of the elements that explain the field.
    fn described_by(&self, form: &str) -> String {
        let id = format!("{form}{}", self.name);
        let hint = (!self.hint.is_empty()).then(|| format!("{id}-hint"));
        let warning = self.warning.as_ref().map(|_| format!("{id}-warning"));
        let error = self.error.as_ref().map(|_| format!("{id}-error"));
        [error, warning, hint].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// An error of one field.
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    /// The name of the field.
    pub(super) field: String,
    pub(super) why: String,
}

impl Wrong {
    /// An error of this field.
    pub(super) fn new(field: &str, why: impl Into<String>) -> Self {
        Self { field: field.to_owned(), why: why.into() }
    }
}

/// A form that was rejected.
#[derive(Debug, Clone, Default)]
pub(super) struct Rejected {
    /// The values that the user had filled in.
    pub(super) given: Fields,
    pub(super) wrong: Vec<Wrong>,
    /// The reason, if it does not belong to one field.
    pub(super) refusal: Option<String>,
}

impl Rejected {
    /// Because of errors in fields.
    pub(super) fn wrong(given: &Fields, wrong: Vec<Wrong>) -> Self {
        Self { given: given.clone(), wrong, refusal: None }
    }

    /// For a reason that does not belong to one field.
    pub(super) fn refused(given: &Fields, why: String) -> Self {
        Self { given: given.clone(), wrong: Vec::new(), refusal: Some(why) }
    }
}

impl FormBlock {
    /// A form without fields.
    pub(super) fn new(known: &Known, w: &'static Words, action: &str, button: &'static str) -> Self {
        let mut form = Self::search(w, action, button);
        form.method = "post";
        form.hidden.push((TOKEN, known.form_token.clone()));
        form
    }

    /// A form without fields that only asks for another page.
    pub(super) fn search(w: &'static Words, action: &str, button: &'static str) -> Self {
        Self {
            w,
            id: "",
            method: "get",
            action: action.to_owned(),
            button,
            hidden: Vec::new(),
            sections: Vec::new(),
            refusal: None,
            is_locked: false,
            is_upload: false,
        }
    }

    /// Adds a section with these fields.
    pub(super) fn with(mut self, title: &'static str, fields: Vec<Field>) -> Self {
        self.sections.push(Section { title, fields, is_folded: false });
        self
    }

    /// Fills in the values and errors of the rejected form.
    pub(super) fn rejected(mut self, rejected: Option<&Rejected>) -> Self {
        let Some(Rejected { given, wrong, refusal }) = rejected else { return self };
        self.refusal.clone_from(refusal);
        for field in self.sections.iter_mut().flat_map(|section| &mut section.fields) {
            if given.has(&field.name) && !matches!(field.shape, Shape::Password | Shape::File) {
                field.value = match field.shape {
                    Shape::Boxes(_) => given.all(&field.name).join(" "),
                    _ => given.exact(&field.name).to_owned(),
                };
            }
            let found = wrong.iter().find(|wrong| wrong.field == field.name);
            field.error = found.map(|wrong| wrong.why.clone());
        }
        self
    }

    /// The fields with errors.
    fn wrong(&self) -> impl Iterator<Item = (&Field, &String)> {
        let fields = self.sections.iter().flat_map(|section| &section.fields);
        fields.filter_map(|field| Some((field, field.error.as_ref()?)))
    }

    fn has_wrong(&self) -> bool {
        self.refusal.is_some() || self.wrong().next().is_some()
    }
}

impl Section {
    fn has_wrong(&self) -> bool {
        self.fields.iter().any(|field| field.error.is_some())
    }
}
