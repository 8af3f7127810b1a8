//! What programs write beside an answer, by program, in English, German, French and Spanish where it is known.
//!
//! `{who}` stands for whoever answers, `{title}` for the meeting's title. What a program is not known to write is left out: it
//! would do no harm, and help nobody.

/// Sentences that stand by themselves.
pub(super) const SENTENCES: &[(&str, &[&str])] = &[
    (
        "Google Calendar",
        &[
            "{who} has accepted this invitation.",
            "{who} has declined this invitation.",
            "{who} has replied \"Maybe\" to this invitation.",
            "{who} hat diese Einladung angenommen.",
            "{who} hat diese Einladung abgelehnt.",
            "{who} a accepté cette invitation.",
            "{who} a refusé cette invitation.",
            "{who} a répondu « Peut-être » à cette invitation.",
            "{who} ha aceptado esta invitación.",
            "{who} ha rechazado esta invitación.",
        ],
    ),
    (
        "Thunderbird, SOGo",
        &[
            "{who} has accepted your event invitation.",
            "{who} has declined your event invitation.",
            "{who} hat Ihre Termineinladung akzeptiert.",
            "{who} hat Ihre Termineinladung abgelehnt.",
            "{who} a accepté votre invitation.",
            "{who} a refusé votre invitation.",
            "{who} ha aceptado su invitación al evento.",
            "{who} ha declinado su invitación al evento.",
            "{who} ha aceptado tu invitación al evento.",
            "{who} ha declinado tu invitación al evento.",
        ],
    ),
    (
        "Apple Calendar",
        &[
            "{who} has accepted the invitation.",
            "{who} has tentatively accepted the invitation.",
            "{who} has declined the invitation.",
            "{who} hat “{title}” zugesagt.",
            "{who} hat “{title}” vorläufig zugesagt.",
            "{who} hat “{title}” abgesagt.",
        ],
    ),
    (
        "Proton",
        &[
            "{who} accepted your invitation to {title}",
            "{who} tentatively accepted your invitation to {title}",
            "{who} declined your invitation to {title}",
        ],
    ),
    (
        "Zimbra",
        &[
            "Yes, I will attend.",
            "I might attend.",
            "No, I won't attend.",
        ],
    ),
    (
        "Nextcloud",
        &[
            "{who} has responded to your invitation.",
            "{who} has accepted your invitation.",
            "{who} has tentatively accepted your invitation.",
            "{who} has declined your invitation.",
        ],
    ),
    (
        "Open-Xchange, Roundcube, Cyrus, Stalwart, Yahoo, Xandikos",
        &[
            "{who} has accepted.",
            "{who} has tentatively accepted.",
            "{who} has declined.",
            "{who} accepted.",
            "{who} tentatively accepted.",
            "{who} declined.",
            "{who} may come.",
        ],
    ),
];

/// Lines that programs put beneath all that goes out.
pub(super) const FOOTERS: &[&str] = &[
    "Get Outlook for iOS",
    "Get Outlook for iOS<https://aka.ms/o0ukef>",
    "Get Outlook for Android",
    "Get Outlook for Android<https://aka.ms/AAb9ysg>",
    "Sent from Outlook for iOS",
    "Sent from Outlook for Android",
    "Sent from my iPhone",
    "Sent from my iPad",
    "Von meinem iPhone gesendet",
    "Von meinem iPad gesendet",
    "Envoyé de mon iPhone",
    "Envoyé de mon iPad",
    "Enviado desde mi iPhone",
    "Enviado desde mi iPad",
];

/// Who writes a mail from its first sentence to what stands beneath, and says in that sentence whether somebody has left a note:
/// by its Sender.
pub(super) const FRAME_SENDER: &str = "calendar-notification@google.com";

/// What the lines beneath begin with.
pub(super) const FRAME_ENDS: &[&str] = &[
    "Invitation from Google Calendar",
    "Einladung von Google Kalender",
    "Invitation de Google Agenda",
    "Invitación de Google Calendar",
];
