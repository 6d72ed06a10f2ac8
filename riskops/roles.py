"""What the shipped roles may do at the risk desk."""

ROLES = {
    "support_agent": [
        "riskops.view_riskscore",
        "riskops.view_riskscorehistory",
    ],
    "marketplace_moderator": [
        "riskops.view_riskscore",
    ],
    "risk_analyst": [
        "riskops.view_accountevent",
        "riskops.view_accountfacts",
        "riskops.view_accountcountry",
        "riskops.view_identifier",
        "riskops.view_personal_identifier",
        "riskops.share_identifier",
        "riskops.view_sighting",
        "riskops.view_riskscore",
        "riskops.calculate_riskscore",
        "riskops.override_riskscore",
        "riskops.view_riskscorehistory",
        "riskops.view_riskoverride",
        "riskops.view_riskoutcome",
        "riskops.record_riskoutcome",
        "riskops.view_riskruleset",
        "riskops.add_riskruleset",
        "riskops.publish_riskruleset",
        "riskops.view_recomputerun",
        "riskops.view_recomputechunk",
    ],
    "operator": [
        "riskops.view_recomputerun",
        "riskops.view_recomputechunk",
        "riskops.view_ingestcheckpoint",
    ],
    "auditor": ["riskops.view_personal_identifier"],
}
