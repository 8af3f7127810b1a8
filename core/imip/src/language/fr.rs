//! French.

use super::{Labels, Notices, Phrases, Repeats, Sentences};

pub(super) const PHRASES: Phrases = Phrases {
    subjects: Sentences {
        invitation: "Invitation : {title}",
        update: "Invitation modifiée : {title}",
        cancellation: "Annulé : {title}",
        uninvited: "Invitation retirée : {title}",
        accepted: "Accepté : {title}",
        tentative: "Accepté provisoirement : {title}",
        declined: "Refusé : {title}",
        delegated: "Délégué : {title}",
        answered: "Réponse : {title}",
        proposal: "Modification proposée : {title}",
        proposal_declined: "Proposition refusée : {title}",
        refresh: "Dernière version demandée : {title}",
    },
    sentences: Sentences {
        invitation: "{who} vous invite à « {title} ».",
        update: "{who} a modifié « {title} ».",
        cancellation: "{who} a annulé « {title} ».",
        uninvited: "{who} vous a retiré de la liste des invités de « {title} ».",
        accepted: "{who} a accepté l’invitation à « {title} ».",
        tentative: "{who} a accepté provisoirement l’invitation à « {title} ».",
        declined: "{who} a refusé l’invitation à « {title} ».",
        delegated: "{who} a délégué l’invitation à « {title} » à une autre personne.",
        answered: "{who} a répondu à l’invitation à « {title} ».",
        proposal: "{who} propose une modification de « {title} ».",
        proposal_declined: "{who} a refusé votre proposition pour « {title} ».",
        refresh: "{who} demande la dernière version de « {title} ».",
    },
    labels: Labels {
        title: "Titre",
        when: "Quand",
        repeats: "Se répète",
        place: "Où",
        organizer: "Organisé par",
        guests: "Invités",
        description: "Description",
        comment: "Commentaire",
        instance: "Aussi",
    },
    repeats: Repeats {
        daily: ["tous les jours", "tous les {n} jours"],
        weekly: ["toutes les semaines", "toutes les {n} semaines"],
        monthly: ["tous les mois", "tous les {n} mois"],
        yearly: ["tous les ans", "tous les {n} ans"],
        other: "plusieurs fois",
        until: "jusqu’au {date}",
        times: "{n} fois",
    },
    notices: Notices {
        undeliverable: [
            "Non remis à {who} : {title}",
            "Votre message concernant « {title} » n’a pas pu être remis à {who}.",
        ],
        proposal: [
            "{who} propose une modification : {title}",
            "{who} propose une modification de « {title} ». La proposition attend votre décision.",
        ],
        held: [
            "Une invitation de {who} est en attente : {title}",
            "{who}, que vous ne connaissez pas encore, vous a invité à « {title} ». L’invitation attend votre décision.",
        ],
        accepted: [
            "{who} a accepté : {title}",
            "{who} a accepté votre invitation à « {title} ».",
        ],
        tentative: [
            "{who} a accepté provisoirement : {title}",
            "{who} a accepté provisoirement votre invitation à « {title} ».",
        ],
        declined: [
            "{who} a refusé : {title}",
            "{who} a refusé votre invitation à « {title} ».",
        ],
        answered: [
            "{who} a répondu : {title}",
            "{who} a répondu à votre invitation à « {title} ».",
        ],
        reason: "Raison : {reason}",
        footer: "Ceci est un message automatique de votre serveur de calendriers.",
    },
    all_day: "toute la journée",
    was: "avant : {value}",
    no_title: "(sans titre)",
    no_place: "(sans lieu)",
    and_more: "et {n} autres",
    answer: "Vous pouvez répondre avec votre programme de calendrier, ou avec les boutons que montre votre programme de messagerie.",
    write_back: "Ce que vous répondez à ce message parvient à {who}.",
    one_of_series: "Il s’agit d’une seule date d’une série : {date}.",
    colon: "\u{a0}: ",
    weekdays: [
        "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche",
    ],
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    date: |weekday, day, month, year| {
        let ordinal = if day == 1 { "er" } else { "" };
        format!("{weekday} {day}{ordinal} {month} {year}")
    },
};
