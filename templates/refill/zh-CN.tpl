# The medicine runs out and can be dispensed again.  run_out is worked out
# from what is on record, so every text asks; none sells.

[stage "-7d"]
text = {{patient}}，您的{{drug}}预计{{run_out|date}}用完，还有{{days}}天。您需要续药吗？可联系{{clinic}}安排。

[stage "-3d"]
text = {{patient}}，您的{{drug}}大约还够用{{days}}天，到{{run_out|date}}。您续药了吗？需要帮忙请联系{{clinic}}。

[stage "-1d"]
text = {{patient}}，您的{{drug}}预计{{run_out|date}}就要用完了。您手边还有吗？续药请联系{{clinic}}。

[stage "+1d"]
text = {{patient}}，按记录您的{{drug}}可能在{{run_out|date}}用完了。您手边还有吗？续药请联系{{clinic}}。

[stage "+7d"]
text = {{patient}}，按记录您的{{drug}}可能在{{run_out|date}}用完了。您还在用吗？有变化或需要帮忙，请告诉{{clinic}}。
