# What is said back to a reply: fixed texts, no name and no medicine, for the
# number may be a stranger's.

[stage "emergency"]
text = This may be an emergency: please call 120 (or your local emergency number) now. {{clinic}} has your message and will contact you.

[stage "adverse_event"]
text = Thank you for telling us. {{clinic}} will contact you soon. If it gets worse, please see a doctor; in an emergency call 120.

[stage "sorry"]
text = We have your message and are sorry to have troubled you. We will correct our records. Questions: {{clinic}}.

[stage "opt_out"]
text = You asked us to send no more of these, and we will not. To have them again, please contact {{clinic}}.

[stage "opt_in"]
text = You asked us to send these again, and we will. Questions: please contact {{clinic}}.

[stage "handed_over"]
text = We have your message; someone at {{clinic}} will see to it. In an emergency call 120.

[stage "noted"]
text = Noted, thank you. If you feel unwell or have a question, just reply, or contact {{clinic}}.

[stage "order"]
text = We have your refill request; {{clinic}} will begin in 15 minutes. To cancel it, reply CANCEL before then.

[stage "order_cancelled"]
text = Your refill request is cancelled. When you need it, please contact {{clinic}}.

[stage "caregiver"]
text = The person you care for told us of what may be an emergency. Please reach them now; if needed call 120. {{clinic}} has the message.

[stage "caregiver_silence"]
text = Someone you care for has not answered reminders about medicine or a visit lately. Please get in touch. If help is needed, call {{clinic}}.

# To the care team: no patient is named, the tasks are in the system.

[stage "team_emergency"]
text = URGENT: a patient reports what may be an emergency. Please see to it now. Reply OK to take it. {{clinic}}

[stage "team_adverse_event"]
text = A patient reports a suspected adverse event. Please see to it soon. Reply OK to take it. {{clinic}}

[stage "team_tasks"]
text = Tasks about patients are waiting for you. Please look at them. Reply OK to take them. {{clinic}}

[stage "team_taken"]
text = Noted as yours. When it is done, please end the task in the system.
