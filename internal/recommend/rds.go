package recommend

import (
	"regexp"

	"bursar/internal/cloud"
)

var rdsService = service{
	provider: cloud.AWS,
	name:     "rds",
	title:    "RDS",
	aliases:  []string{"rds", "amazonrds", "awsrds", "amazonrelationaldatabaseservice", "relationaldatabaseservice"},
	payments: awsPayments,
	attributes: []attribute{
		{key: "engine", example: "postgresql", values: rdsEngines, loose: looseRDSEngine, columns: []string{"engine"}, member: "DatabaseEngine",
			helpers: []helper{{editionColumn, "DatabaseEdition"}, {licenseColumn, "LicenseModel"}}},
		{key: "class", example: "db.r6g.large", pattern: regexp.MustCompile(`^db(\.[a-z0-9-]+){2,4}$`),
			columns: []string{"resource type"}, member: "InstanceType"},
		{key: "multi_az", example: "false", boolean: true, loose: looseMultiAZ, columns: []string{"multi az"}, member: "DeploymentOption"},
	},
	details: "RDSInstanceDetails",
	unfit: func(details *value) (what, why string) {
		if m := details.member("DeploymentModel"); m != nil && fold(m.text) == "custom" {
			return "RDS Custom reservation", "RDS Custom cannot be bought yet"
		}
		return "", ""
	},
}

// rdsEngines are RDS's product descriptions: engine, edition and license in one
// word, as offerings carry it.
var rdsEngines = []string{
	"mysql", "postgresql", "mariadb", "aurora-mysql", "aurora-postgresql",
	"oracle-se2(li)", "oracle-se2(byol)", "oracle-ee(byol)", "oracle-se1(li)", "oracle-se1(byol)", "oracle-se(byol)",
	"sqlserver-se(li)", "sqlserver-ee(li)", "sqlserver-web(li)", "sqlserver-ex(li)",
}

// rdsPlain are engines that have neither editions nor licenses, by folded name.
var rdsPlain = map[string]string{
	"mysql": "mysql", "mariadb": "mariadb",
	"postgresql": "postgresql", "postgres": "postgresql",
	"auroramysql": "aurora-mysql", "aurorapostgresql": "aurora-postgresql", "aurorapostgres": "aurora-postgresql",
}

// rdsEditions are the engines that are sold by edition, by folded name.
var rdsEditions = map[string]map[string]string{
	"oracle": {
		"standardtwo": "oracle-se2", "standardedition2": "oracle-se2", "standardeditiontwo": "oracle-se2", "se2": "oracle-se2",
		"standardone": "oracle-se1", "standardeditionone": "oracle-se1", "se1": "oracle-se1",
		"standard": "oracle-se", "standardedition": "oracle-se", "se": "oracle-se",
		"enterprise": "oracle-ee", "enterpriseedition": "oracle-ee", "ee": "oracle-ee",
	},
	"sqlserver": {
		"standard": "sqlserver-se", "standardedition": "sqlserver-se", "se": "sqlserver-se",
		"enterprise": "sqlserver-ee", "enterpriseedition": "sqlserver-ee", "ee": "sqlserver-ee",
		"web": "sqlserver-web", "webedition": "sqlserver-web",
		"express": "sqlserver-ex", "expressedition": "sqlserver-ex", "ex": "sqlserver-ex",
	},
}

var rdsLicenses = map[string]string{
	"licenseincluded": "(li)", "li": "(li)",
	"bringyourownlicense": "(byol)", "byol": "(byol)",
}

// Columns that help to tell an engine.
const (
	editionColumn = "database edition"
	licenseColumn = "license model"
)

// looseRDSEngine reads Cost Explorer's and people's names of an engine. An
// edition or a license that is needed and absent is not guessed: the result is
// then no engine at all.
func looseRDSEngine(text string, helper func(string) string) (string, bool) {
	name := fold(text)
	if e, ok := rdsPlain[name]; ok {
		return e, true
	}
	edition, ok := rdsEditions[name][fold(helper(editionColumn))]
	if !ok {
		// "oracle-se2" and "sqlserver-web" name the edition and lack the license.
		for _, editions := range rdsEditions {
			for _, e := range editions {
				if fold(e) == name {
					edition, ok = e, true
				}
			}
		}
	}
	license, licensed := rdsLicenses[fold(helper(licenseColumn))]
	return edition + license, ok && licensed
}

// looseMultiAZ reads the two ways of saying it: a yes or no, and a deployment.
func looseMultiAZ(text string, _ func(string) string) (string, bool) {
	switch fold(text) {
	case "true", "yes", "y", "1", "multiaz", "multi":
		return "true", true
	case "false", "no", "n", "0", "singleaz", "single":
		return "false", true
	}
	return "", false
}
