//! The coordinator as its host drives it, in virtual time and without faults: what people receive, and when.
mod host; // carries out what it orders, at once
mod levels; // a level that is seen again says more, and is no other level
mod edits; // open episodes follow the rules in force
mod cannot_run; // a rule that fails for too long
mod commands; // what people ask for
mod statuses; // what is said of a rule
mod oncall; // who is on call when a message is decided
mod deliveries; // what receivers answered goes with later messages and attempts
mod story; // a random story of one alert
mod oracle; // who hears what of it
mod stories; // the coordinator against the oracle
mod escalating; // one alert from chat to text message to its end
mod limits; // more messages than a destination is sent
mod fallbacks; // what one destination does not take goes to another
mod failing; // a destination that keeps failing
mod groups; // messages that are gathered and sent as one
mod gatherings; // random timelines of a group
mod floods; // more keys, events and messages than a rule may have
