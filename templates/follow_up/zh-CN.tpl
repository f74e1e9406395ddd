# Visits.  What the visit is for ({{visit}}) is not said: it may tell of an
# illness.

[stage "-3d"]
text = {{patient}}，提醒您{{at|date_time}}有复诊。时间不合适的话，请尽早联系{{clinic}}改期。

[stage "-1d"]
text = {{patient}}，提醒您{{at|date_time}}有复诊，请带上病历和正在用的药。需要改期请联系{{clinic}}。

[stage "moved"]
text = {{patient}}，您的复诊改到了{{at|date_time}}，请以此为准。时间不合适的话，请联系{{clinic}}。

[stage "missed"]
text = {{patient}}，{{date|date}}的复诊好像没有成行，您还好吗？想另约时间，请联系{{clinic}}。
