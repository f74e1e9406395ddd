# The medicine runs out and a new prescription is needed first: asked for a
# visit, never for a purchase.

[stage "-14d"]
text = {{patient}}，您的{{drug}}预计{{run_out|date}}用完，继续用药前要请医生看一看。您方便约复诊吗？请联系{{clinic}}。

[stage "-7d"]
text = {{patient}}，您的{{drug}}预计{{run_out|date}}用完，还有{{days}}天。您约好复诊了吗？需要帮忙请联系{{clinic}}。

[stage "0d"]
text = {{patient}}，您的{{drug}}预计{{run_out|date}}用完。您见过医生或约好复诊了吗？需要帮忙请联系{{clinic}}。

[stage "+7d"]
text = {{patient}}，按记录您的{{drug}}可能在{{run_out|date}}用完了。您见过医生了吗？要约复诊请联系{{clinic}}。
