# A dose that is due.  Sent at its time or within the hour; never says that
# one was missed.

[stage "due"]
text = {{patient}}，{{at|time}}是您使用{{drug}}的时间。已经用过请忽略；如有不适，请联系{{clinic}}。
