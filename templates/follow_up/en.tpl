# Visits.  What the visit is for ({{visit}}) is not said: it may tell of an
# illness.

[stage "-3d"]
text = {{patient}}, a reminder of your visit on {{at|date_time}}. If the time does not suit you, please contact {{clinic}} soon.

[stage "-1d"]
text = {{patient}}, a reminder of your visit on {{at|date_time}}. Please bring your records and medicines. To change it, please contact {{clinic}}.

[stage "moved"]
text = {{patient}}, your visit was moved to {{at|date_time}}. This replaces the earlier time. If it does not suit you, please contact {{clinic}}.

[stage "missed"]
text = {{patient}}, your visit on {{date|date}} does not seem to have taken place. Are you well? For another time, please contact {{clinic}}.
