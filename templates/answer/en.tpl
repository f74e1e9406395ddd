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
