# The medicine runs out and can be dispensed again.  run_out is worked out
# from what is on record, so every text asks; none sells.

[stage "-7d"]
text = {{patient}}, your {{drug}} should last until {{run_out|date}} (days left: {{days}}). Do you need a refill? Please contact {{clinic}}.

[stage "-3d"]
text = {{patient}}, your {{drug}} should last until {{run_out|date}} (days left: {{days}}). Have you arranged a refill? For help, please contact {{clinic}}.

[stage "-1d"]
text = {{patient}}, your {{drug}} should run out on {{run_out|date}}. Do you still have some? For a refill, please contact {{clinic}}.

[stage "+1d"]
text = {{patient}}, by our records your {{drug}} may have run out on {{run_out|date}}. Do you still have some? For a refill, please contact {{clinic}}.

[stage "+7d"]
text = {{patient}}, by our records your {{drug}} may have run out on {{run_out|date}}. Are you still using it? If anything changed, please tell {{clinic}}.
