fn main() {
    println!("{:?}", fhir_codec::write(&fhir_codec::r4::Resource::Basic(Box::default())));
}
