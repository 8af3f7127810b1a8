// Reads an invitation as Thunderbird does, by its own parser, and answers it: `node thunderbird.mjs ADDRESS PARTSTAT < invite.ics`
// prints what it saw and the REPLY that Thunderbird would send, as JSON.
import ICAL from "ical.js";
import { readFileSync } from "node:fs";

const [address, partstat] = process.argv.slice(2);
const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, "utf8")));
for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
const component = calendar.getFirstSubcomponent("vevent");
const event = new ICAL.Event(component);
const seconds = (time) => time.toUnixTime();

const seen = {
  method: calendar.getFirstPropertyValue("method"),
  zones: calendar.getAllSubcomponents("vtimezone").map((it) => it.getFirstPropertyValue("tzid")),
  uid: event.uid,
  summary: event.summary,
  sequence: event.sequence,
  start: seconds(event.startDate),
  end: seconds(event.endDate),
  organizer: event.organizer,
  attendees: Object.fromEntries(event.attendees.map((it) => [it.getFirstValue(), { partstat: it.getParameter("partstat"), rsvp: it.getParameter("rsvp") }])),
};
if (event.isRecurring()) {
  const dates = event.iterator();
  seen.dates = [1, 2, 3].map(() => dates.next()).filter(Boolean).map(seconds);
}

const reply = new ICAL.Component(["vcalendar", [], []]);
reply.addPropertyWithValue("prodid", "-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN");
reply.addPropertyWithValue("version", "2.0");
reply.addPropertyWithValue("method", "REPLY");
for (const zone of calendar.getAllSubcomponents("vtimezone")) reply.addSubcomponent(zone);
for (const own of component.getAllProperties("attendee")) {
  if (own.getFirstValue().toLowerCase() === `mailto:${address}`) own.setParameter("partstat", partstat);
  else component.removeProperty(own);
}
component.updatePropertyWithValue("dtstamp", ICAL.Time.now().convertToZone(ICAL.Timezone.utcTimezone));
reply.addSubcomponent(component);
console.log(JSON.stringify({ seen, reply: reply.toString() + "\r\n" }));
