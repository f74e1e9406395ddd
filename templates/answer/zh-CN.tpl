# What is said back to a reply: fixed texts, no name and no medicine, for the
# number may be a stranger's.

[stage "emergency"]
text = 您说的情况可能很紧急，请马上拨打120，或去最近的急诊。{{clinic}}已收到您的消息，会尽快联系您。

[stage "adverse_event"]
text = 您反馈的不适已收到，{{clinic}}的医护人员会尽快联系您。如果加重或难以忍受，请及时就医；紧急时请拨打120。

[stage "sorry"]
text = 消息已收到，抱歉打扰。我们会核实并更新记录。如有需要，请联系{{clinic}}。

[stage "opt_out"]
text = 已按您的要求停止发送。今后如需恢复，请联系{{clinic}}。

[stage "opt_in"]
text = 已按您的要求恢复发送。有问题请联系{{clinic}}。

[stage "handed_over"]
text = 消息已收到，已转给{{clinic}}的工作人员处理。紧急情况请拨打120。

[stage "noted"]
text = 已记录，谢谢您的回复。如有不适或疑问，请直接回复，或联系{{clinic}}。

[stage "order"]
text = 续药申请已收到，{{clinic}}会在15分钟后开始处理。如要取消，请在此之前回复“取消”。

[stage "order_cancelled"]
text = 续药申请已取消。今后需要时，请联系{{clinic}}。

[stage "caregiver"]
text = 您关心的人刚刚回复说身体可能有紧急情况，请马上联系TA，必要时拨打120。{{clinic}}已收到消息。

[stage "caregiver_silence"]
text = 您关心的人近来没有回复用药或复诊提醒，请抽空联系TA。如有困难，请联系{{clinic}}。

# To the care team: no patient is named, the tasks are in the system.

[stage "team_emergency"]
text = 紧急：有患者反馈可能的紧急情况，请立即处理。回复“收到”表示由您负责。{{clinic}}

[stage "team_adverse_event"]
text = 有患者反馈疑似不良反应，请尽快处理。回复“收到”表示由您负责。{{clinic}}

[stage "team_tasks"]
text = 有患者事项等待处理，请登录查看。回复“收到”表示由您负责。{{clinic}}

[stage "team_taken"]
text = 已登记由您负责。处理完成后，请在系统中结束该事项。
