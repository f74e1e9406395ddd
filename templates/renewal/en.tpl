# The medicine runs out and a new prescription is needed first: asked for a
# visit, never for a purchase.

[stage "-14d"]
text = {{patient}}, your {{drug}} should last until {{run_out|date}}. To go on, you need to see your doctor. Shall we find a time? Please contact {{clinic}}.

[stage "-7d"]
text = {{patient}}, your {{drug}} should last until {{run_out|date}} (days left: {{days}}). Have you booked a visit? For help, please contact {{clinic}}.

[stage "0d"]
text = {{patient}}, your {{drug}} should run out on {{run_out|date}}. Have you seen your doctor or booked a visit? For help, please contact {{clinic}}.

[stage "+7d"]
text = {{patient}}, by our records your {{drug}} may have run out on {{run_out|date}}. Have you seen your doctor? To book a visit, please contact {{clinic}}.
