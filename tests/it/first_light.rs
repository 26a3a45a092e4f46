use priorauth::cds::HookRequest;
use priorauth::fhir::{Document, Pool, Rules};
use priorauth::intake::{dossier::*, subject::Subject};
use priorauth::policy::evaluate;
use priorauth::profiles::Profiles;

#[test]
fn all() {
    let profiles = match Profiles::from_folder(std::path::Path::new("profiles")) {
        Ok(p) => p,
        Err(e) => panic!("{e}"),
    };
    let as_of = "2026-11-25".parse().unwrap();
    let mut paths: Vec<_> = ["fixtures/pas", "fixtures/crd"]
        .iter()
        .flat_map(|f| std::fs::read_dir(f).unwrap())
        .map(|e| e.unwrap().path().join("request.json"))
        .collect();
    paths.sort();
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let document = Document::parse(&bytes, Rules::Lenient).unwrap();
        let dossier = if HookRequest::is_one(document.root()) {
            let request = HookRequest::read(document.root()).unwrap();
            HookFile::of(&request).unwrap().dossier(&profiles.plan, as_of)
        } else {
            let mut pool = Pool::default();
            pool.add_bundle(document.root());
            let claim = pool.of_type("Claim").next().unwrap();
            let patient =
                pool.follow(pool.entry(claim).unwrap().node.get("patient").unwrap(), claim);
            let subject = Subject { place: patient, reference: None };
            Dossier::of_claim(&pool, claim, &subject, &profiles.plan, as_of)
        };
        println!("== {}", path.display());
        for gap in &dossier.gaps {
            println!("   gap {gap:?}");
        }
        for case in dossier.cases() {
            let verdict = evaluate(&profiles.shelf, case, as_of);
            println!(" {} {:?} {:?}", case.order.sequence, verdict.determination, verdict.reasons);
            for f in &verdict.findings {
                println!(
                    "   {} {:?} {:?}",
                    f.clause,
                    f.truth,
                    f.counted
                        .iter()
                        .map(|c| format!("{}:{}", c.source.resource, c.says))
                        .collect::<Vec<_>>()
                );
                for n in &f.needs {
                    println!("      need {n}");
                }
            }
        }
    }
}
