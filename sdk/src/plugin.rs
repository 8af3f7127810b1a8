/// Makes a plugin library of the types it names.
///
/// Stands once in a crate of `crate-type = ["cdylib", "rlib"]`. The name comes first: 1 to 64 of `a-z`, `0-9` and
/// `-`. Then, if wanted, `vendor: "…"` (else the crate's authors are named). Then any of `discovery: Type`,
/// `policy: Type`, `store: Type` and `state: Type`, each type implementing the trait of that name. A kind may go by a name
/// of its own (`state: Type as "state-nobody"`): a configuration names it so, and the host finds the library by its
/// manifest where no file has that name.
///
/// ```
/// # use convoke_sdk::prelude::*;
/// # struct Nobody;
/// # impl Discovery for Nobody {
/// #     type Config = ();
/// #     async fn open(_: (), _: Host) -> Result<Self> { Ok(Self) }
/// #     async fn discover(&self, _: &CalendarAddress, _: &Call) -> Result<Discovered> { Ok(Discovered::NotMine) }
/// # }
/// convoke_sdk::plugin! { name: "nobody", vendor: "Example Inc.", discovery: Nobody }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    (name: $name:literal, vendor: $vendor:literal, $($kind:ident : $type:ty $(as $other:literal)?),+ $(,)?) => {
        $crate::plugin! { @library $name, $vendor, $($kind: $type $(as $other)?),+ }
    };
    (name: $name:literal, $($kind:ident : $type:ty $(as $other:literal)?),+ $(,)?) => {
        $crate::plugin! { @library $name, ::core::env!("CARGO_PKG_AUTHORS"), $($kind: $type $(as $other)?),+ }
    };
    (@library $name:literal, $vendor:expr, $($kind:ident : $type:ty $(as $other:literal)?),+) => {
        const _: () = {
            use $crate::{abi, config_schema, guest};

            ::core::assert!(
                abi::manifest::is_name($name) $($(&& abi::manifest::is_name($other))?)+,
                "a plugin's name is 1 to 64 of a-z, 0-9 and -, beginning with a letter",
            );

            struct Library;

            impl abi::root::Export for Library {
                const ROOT: abi::root::PluginRoot = {
                    let mut root = abi::root::PluginRoot::EMPTY;
                    $($crate::plugin!(@open root $kind $type);)+
                    root
                };
            }

            #[unsafe(no_mangle)]
            pub static CONVOKE_PLUGIN_ROOT: abi::root::Header = abi::root::header::<Library>();

            const KINDS: &[(&::core::primitive::str, ::core::option::Option<&[$crate::Key]>)] =
                &[$((::core::stringify!($kind), $crate::plugin!(@keys $kind $type))),+];
            const SCHEMA: [::core::primitive::u8; config_schema::Schema::<0>::of(KINDS).size()] =
                config_schema::Schema::of(KINDS).bytes();

            const PARTS: &[&str] = &[
                "abi = ", abi::VERSION_TEXT,
                "\nname = ", $name,
                "\nversion = ", ::core::env!("CARGO_PKG_VERSION"),
                "\nvendor = ", $vendor,
                "\nkinds =", $(" ", ::core::stringify!($kind),)+
                $($("\nname.", ::core::stringify!($kind), " = ", $other,)?)+
                "\nexclusive =", $($crate::plugin!(@sharing exclusive $kind $type),)+
                "\none-version =", $($crate::plugin!(@sharing one_version $kind $type),)+
                "\nsdk = ", guest::VERSION,
                "\nrustc = ", guest::RUSTC,
                "\npanic = ", if ::core::cfg!(panic = "unwind") { "unwind" } else { "abort" },
                "\nschema = ", config_schema::text(&SCHEMA),
                "\n",
            ];

            #[unsafe(no_mangle)]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".convoke"))]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__convoke"))]
            pub static CONVOKE_PLUGIN_MANIFEST: [u8; abi::manifest::size(PARTS)] =
                abi::manifest::bytes(PARTS);
        };
    };
    (@keys discovery $type:ty) => { $crate::plugin!(@keys <$type as $crate::Discovery>) };
    (@keys policy $type:ty) => { $crate::plugin!(@keys <$type as $crate::Policy>) };
    (@keys store $type:ty) => { $crate::plugin!(@keys <$type as $crate::Store>) };
    (@keys state $type:ty) => { $crate::plugin!(@keys <$type as $crate::State>) };
    (@keys <$type:ty as $trait:path>) => {{
        #[allow(unused_imports)] // used where the configuration is not described
        use config_schema::WithoutSchema as _;
        config_schema::SchemaOf::<<$type as $trait>::Config>::KEYS
    }};
    (@keys $kind:ident $type:ty) => { ::core::option::Option::None };
    (@sharing $said:ident discovery $type:ty) => {
        guest::$said(" discovery", <$type as $crate::Discovery>::SHARING)
    };
    (@sharing $said:ident policy $type:ty) => {
        guest::$said(" policy", <$type as $crate::Policy>::SHARING)
    };
    (@sharing $said:ident store $type:ty) => {
        guest::$said(" store", <$type as $crate::Store>::SHARING)
    };
    (@sharing $said:ident state $type:ty) => {
        guest::$said(" state", <$type as $crate::State>::SHARING)
    };
    (@sharing $said:ident $kind:ident $type:ty) => { "" };
    (@open $root:ident discovery $type:ty) => {
        $root.open_discovery = abi::RSome(guest::open_discovery::<$type>);
    };
    (@open $root:ident policy $type:ty) => {
        $root.open_policy = abi::RSome(guest::open_policy::<$type>);
    };
    (@open $root:ident store $type:ty) => {
        $root.open_store = abi::RSome(guest::open_store::<$type>);
    };
    (@open $root:ident state $type:ty) => {
        $root.open_state = abi::RSome(guest::open_state::<$type>);
    };
    (@open $root:ident $kind:ident $type:ty) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($kind), "` is no kind of plugin: write `discovery`, `policy`, `store` or `state`"
        ));
    };
}
