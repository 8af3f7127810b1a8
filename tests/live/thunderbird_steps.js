// What a person does in Thunderbird, as its dialogs and menus do it. `thunderbird.py` runs one function of these in the main window.

const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const { CalTodo } = ChromeUtils.importESModule("resource:///modules/CalTodo.sys.mjs");
const { CalAlarm } = ChromeUtils.importESModule("resource:///modules/CalAlarm.sys.mjs");
const { CalRecurrenceInfo } = ChromeUtils.importESModule("resource:///modules/CalRecurrenceInfo.sys.mjs");
const { CalAttendee } = ChromeUtils.importESModule("resource:///modules/CalAttendee.sys.mjs");

const main = Services.wm.getMostRecentWindow("mail:3pane");
const mine = () => cal.manager.getCalendars().find(it => it.type == "caldav");
// The provider beneath the cache.
const provider = () => mine().wrappedJSObject.mUncachedCalendar.wrappedJSObject;
const instant = text => cal.createDateTime(text);
// Whoever is told, is told without a question.
const QUIETLY = { responseMode: Ci.calIItipItem.AUTO };

// What is different from a Thunderbird at home: it believes an authority, as the certificate manager imports one; it keeps
// passwords, which Marionette turns off; and it asks no DNS, as there is none.
function prepare(pem) {
  const base64 = pem.replace(/-----[A-Z ]+-----|\s/g, "");
  const certificates = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
  certificates.addCertFromBase64(base64, "C,,");
  Services.prefs.setBoolPref("signon.rememberSignons", true);
  const { DNS } = ChromeUtils.importESModule("resource:///modules/DNS.sys.mjs");
  DNS.lookup = async () => [];
}

// "New Calendar", "On the Network": the names of what is found, or the name of the error.
async function find(user, password, location) {
  try {
    const found = await cal.provider.detection.detect(user, password, location, true, [], {});
    const calendars = [...found].flatMap(([it, calendars]) => (it.type == "caldav" ? calendars : []));
    main.foundCalendars = calendars;
    return calendars.map(it => it.name);
  } catch (error) {
    return error.name;
  }
}

// "Subscribe": to what was found, with "Offline Support", as it is ticked.
async function subscribe() {
  for (const calendar of main.foundCalendars) {
    calendar.setProperty("cache.enabled", true);
    cal.manager.registerCalendar(calendar);
  }
  await refresh();
  const it = mine();
  return {
    disabled: it.getProperty("disabled"),
    readOnly: it.readOnly,
    schedules: it.getProperty("capabilities.autoschedule.supported"),
    tasks: it.getProperty("capabilities.tasks.supported"),
    organizer: it.getProperty("organizerId"),
  };
}

// "Synchronize": done when it is.
async function refresh() {
  await mine().wrappedJSObject.synchronize();
}

// The attendees' grid of the event dialog: [[kind, start, end]], in order.
function busy(address, from, to) {
  return new Promise(resolve => {
    const all = [];
    cal.freeBusyService.getFreeBusyIntervals(address, instant(from), instant(to), Ci.calIFreeBusyInterval.BUSY_ALL, {
      QueryInterface: ChromeUtils.generateQI(["calIGenericOperationListener"]),
      onResult(operation, intervals) {
        all.push(...(intervals || []));
        if (!operation || !operation.isPending) {
          const of = it => [it.freeBusyType, it.interval.start.icalString, it.interval.end.icalString];
          const busy = all.filter(it => it.freeBusyType != Ci.calIFreeBusyInterval.FREE);
          resolve(busy.map(of).sort());
        }
      },
    });
  });
}

// The event dialog, "Save and Close".
async function write(uid, title, from, to, guests, weeks = 1) {
  const event = new CalEvent();
  event.id = uid;
  event.title = title;
  event.startDate = instant(from);
  event.endDate = instant(to);
  if (weeks > 1) {
    event.recurrenceInfo = new CalRecurrenceInfo(event);
    event.recurrenceInfo.appendRecurrenceItem(cal.createRecurrenceRule(`RRULE:FREQ=WEEKLY;COUNT=${weeks}`));
  }
  if (guests.length) {
    const organizer = new CalAttendee();
    organizer.id = mine().getProperty("organizerId");
    organizer.isOrganizer = true;
    organizer.role = "REQ-PARTICIPANT";
    organizer.participationStatus = "ACCEPTED";
    event.organizer = organizer;
  }
  for (const guest of guests) {
    const attendee = new CalAttendee();
    attendee.id = `mailto:${guest}`;
    attendee.rsvp = "TRUE";
    attendee.role = "REQ-PARTICIPANT";
    attendee.participationStatus = "NEEDS-ACTION";
    event.addAttendee(attendee);
  }
  await main.doTransaction("add", event, mine(), null, null, QUIETLY);
}

// The task dialog.
async function writeTask(uid, title, due) {
  const task = new CalTodo();
  task.id = uid;
  task.title = title;
  task.dueDate = instant(due);
  await main.doTransaction("add", task, mine(), null, null, QUIETLY);
}

// Changes an item as a dialog or a menu does. The error's message if the server does not take it.
async function change(uid, how) {
  const old = await mine().getItem(uid);
  const item = old.clone();
  how(item);
  try {
    await main.doTransaction("modify", item, mine(), old, null, QUIETLY);
    return null;
  } catch (error) {
    return `${error}`;
  }
}

const move = (uid, from, to) =>
  change(uid, event => {
    event.startDate = instant(from);
    event.endDate = instant(to);
  });

const complete = uid => change(uid, task => (task.isCompleted = true));

// A reminder a quarter of an hour before.
const remind = uid =>
  change(uid, event => {
    const alarm = new CalAlarm();
    alarm.action = "DISPLAY";
    alarm.related = Ci.calIAlarm.ALARM_RELATED_START;
    alarm.offset = cal.createDuration("-PT15M");
    event.addAlarm(alarm);
  });

// "Dismiss" in the window of reminders.
const dismiss = uid => change(uid, event => (event.alarmLastAck = cal.dtz.now()));

async function remove(uid) {
  await main.doTransaction("delete", await mine().getItem(uid), mine(), null, null, QUIETLY);
}

async function occurrence(uid, start) {
  const item = await mine().getItem(uid);
  return start ? item.recurrenceInfo.getOccurrenceFor(instant(start)) : item;
}

// "Attendance", in the menu of an event, or of one occurrence.
async function answer(uid, partstat, start) {
  const entry = main.document.createXULElement("menuitem");
  entry.setAttribute("scope", start ? "this-occurrence" : "all-occurrences");
  entry.setAttribute("respvalue", partstat);
  entry.setAttribute("respmode", "AUTO");
  const item = await occurrence(uid, start);
  // The menu waits for nothing; this does.
  const { doTransaction } = main;
  let done;
  main.doTransaction = (...change) => (done = doTransaction(...change));
  try {
    main.setContextPartstat(entry, [item]);
  } finally {
    main.doTransaction = doTransaction;
  }
  await done;
}

async function shown(uid, start) {
  if (!(await mine().getItem(uid))) {
    return null;
  }
  const item = await occurrence(uid, start);
  const guest = it => [it.id, { partstat: it.participationStatus, status: it.getProperty("SCHEDULE-STATUS") }];
  return {
    title: item.title,
    start: (item.startDate || item.dueDate).icalString,
    status: item.status,
    invited: cal.itip.isInvitation(item),
    open: cal.itip.isInvitation(item) && cal.itip.isOpenInvitation(item),
    alarms: item.getAlarms().length,
    told: item.organizer?.getProperty("SCHEDULE-STATUS"),
    guests: Object.fromEntries(item.getAttendees().map(guest)),
  };
}
