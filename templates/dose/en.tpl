# A dose that is due.  Sent at its time or within the hour; never says that
# one was missed.

[stage "due"]
text = {{patient}}, {{at|time}} is the time for your {{drug}}. Already done? All is well. If you feel unwell, please contact {{clinic}}.
